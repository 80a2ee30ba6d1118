//! Where a CSV file may be cut: at line ends that are not inside quotes.
//!
//! Whether a byte is inside quotes depends on every byte before it, and nobody wants to read a
//! file twice. So the planner looks at a window around each cut and takes the line start under
//! which the lines that follow have the right number of fields; and every reader of a part counts
//! its quotes ([`crate::store::PinnedStore`]). If each part holds an even number of them, then by
//! induction from the start of the file no cut was inside quotes; if one does not, the reader says
//! so instead of giving wrong rows. (Speculation as in Ge et al., "Speculative Distributed CSV Data
//! Parsing for Big Data Analytics", SIGMOD 2019.)

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_protocol::job::CsvOptions;

use super::text::{HEADER_BYTES_MAX, Header};
use crate::error::Failure;

/// Bytes between the places where a file may be cut.
const CUT_DISTANCE_BYTES: u64 = 16 * 1024 * 1024;

/// The most places of one file.
const CUT_PLACES_MAX: u64 = 256;

/// Bytes that are looked at for each.
const WINDOW_BYTES: u64 = 64 * 1024;

/// Lines that have to look right.
const RIGHT_LINES_MIN: usize = 4;

/// For each line that does not, so many others do: some may be bad.
const RIGHT_LINES_PER_WRONG: usize = 10;

const PARALLEL_WINDOWS: usize = 16;

/// The offsets of lines at which a file may be cut, in order; none if it is small, or if quotes
/// are not what ends and starts fields alone.
pub(super) async fn line_starts(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    csv: &CsvOptions,
    columns: usize,
) -> Result<Vec<u64>, Failure> {
    let plain = csv.escape.is_none() && csv.comment.is_none() && csv.quote.is_ascii();
    if !plain || file.size < 2 * CUT_DISTANCE_BYTES {
        return Ok(vec![]);
    }
    let apart = CUT_DISTANCE_BYTES.max(file.size.div_ceil(CUT_PLACES_MAX));
    let fields = fields(store, file, csv).await?.unwrap_or(columns);
    let dialect = Dialect { delimiter: csv.delimiter as u8, quote: csv.quote as u8, fields };
    let windows = (1..file.size.div_ceil(apart)).map(|n| n * apart);
    let found: Vec<Option<u64>> = stream::iter(windows)
        .map(|from| async move {
            let to = (from + WINDOW_BYTES).min(file.size);
            let bytes = store.get_range(&file.location, from..to).await?;
            Ok::<_, Failure>(dialect.line_start(&bytes).map(|at| from + at as u64))
        })
        .buffered(PARALLEL_WINDOWS)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// How many fields the lines of a file have, by its header.
async fn fields(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    csv: &CsvOptions,
) -> Result<Option<usize>, Failure> {
    if !csv.header {
        return Ok(None);
    }
    let start = store.get_range(&file.location, 0..HEADER_BYTES_MAX.min(file.size)).await?;
    Ok(Header::parse(csv, &start, false).map(|header| header.names.len()))
}

/// Where the first line starts in a piece of a CSV file whose lines have so many fields; `None` if
/// it cannot be told.
pub(super) fn first_line(piece: &[u8], csv: &CsvOptions, fields: usize) -> Option<usize> {
    let dialect = Dialect { delimiter: csv.delimiter as u8, quote: csv.quote as u8, fields };
    dialect.line_start(piece).filter(|_| csv.escape.is_none() && csv.comment.is_none())
}

#[derive(Clone, Copy)]
struct Dialect {
    delimiter: u8,
    quote: u8,
    fields: usize,
}

impl Dialect {
    /// The first line of a window that starts anywhere; `None` if it cannot be told.
    fn line_start(self, window: &[u8]) -> Option<usize> {
        let outside = self.first_line(window, false);
        let inside = self.first_line(window, true);
        match (outside, inside) {
            (Some(at), None) | (None, Some(at)) => Some(at),
            // without a quote in sight, a field that spans the window is no explanation
            (Some(at), Some(_)) => (!window.contains(&self.quote)).then_some(at),
            (None, None) => None,
        }
    }

    /// The first line start, given whether the window starts inside quotes, if nearly all lines
    /// after it have the right number of fields.
    fn first_line(self, window: &[u8], mut quoted: bool) -> Option<usize> {
        let (mut start, mut fields, mut right, mut wrong) = (None, 1, 0, 0);
        for (at, byte) in window.iter().enumerate() {
            match *byte {
                b if b == self.quote => quoted = !quoted,
                b if b == self.delimiter && !quoted => fields += 1,
                b'\n' if !quoted => {
                    if start.is_none() {
                        start = Some(at + 1);
                    } else if fields == self.fields {
                        right += 1;
                    } else {
                        wrong += 1;
                    }
                    fields = 1;
                }
                _ => {}
            }
        }
        start.filter(|_| right >= RIGHT_LINES_MIN && right >= RIGHT_LINES_PER_WRONG * wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect { delimiter: b',', quote: b'"', fields: 3 };

    #[test]
    fn a_line_is_found_from_inside_and_outside_of_quotes() {
        let line = "1,\"two\nlines, and a \"\"quote\"\"\",3\n";
        let text = line.repeat(40);
        for from in 0..2 * line.len() {
            let found = DIALECT.line_start(&text.as_bytes()[from..]).expect("a line");
            assert_eq!((from + found) % line.len(), 0, "from {from}");
        }
    }

    #[test]
    fn text_that_reads_both_ways_is_not_cut() {
        // each line has three fields, whichever side of its quotes is taken for the inside
        let window = "a,\"b\",c\n".repeat(30);
        let inverted = DIALECT.first_line(window.as_bytes(), true);
        assert_eq!(inverted, None);
        assert_eq!(DIALECT.line_start(&window.as_bytes()[..20]), None);
    }

    #[test]
    fn text_without_quotes_is_cut_at_its_lines() {
        let text = "1,2,3\n".repeat(20);
        assert_eq!(DIALECT.line_start(&text.as_bytes()[1..]), Some(5));
    }
}
