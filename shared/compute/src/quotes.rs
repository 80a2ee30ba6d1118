//! Makes sure that no cut of a CSV file was inside quotes; see [`crate::table`].

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use object_store::{Error, GetResult, GetResultPayload};

/// Where a CSV file may be cut, and what its quotes are.
#[derive(Debug, Clone)]
pub(crate) struct Cuts {
    /// Offsets of line starts, in order.
    pub(crate) lines: Vec<u64>,
    pub(crate) quote: u8,
}

/// A part of a CSV file holds an odd number of quotes.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} cannot be read in parts, because its quotes do not come in pairs; set \"csv\": \
     {{\"split\": false}} for its table"
)]
pub(crate) struct CutInQuotes(String);

impl CutInQuotes {
    pub(crate) fn new(key: &str) -> Self {
        Self(key.to_owned())
    }
}

/// Passes the bytes of a part on and counts its quotes: between two cuts they are even, or one of
/// the cuts was inside quotes.
pub(crate) fn count(result: GetResult, cuts: Arc<Cuts>) -> GetResult {
    let (meta, range, attributes) =
        (result.meta.clone(), result.range.clone(), result.attributes.clone());
    // a reader of a part starts one byte before it, to see the end of the line before
    let from = if range.start == 0 { 0 } else { range.start + 1 };
    if from > 0 && cuts.lines.binary_search(&from).is_err() {
        return result; // not the start of a part
    }
    let key = meta.location.to_string();
    let mut counter = Counter { at: range.start, odd: false, from, cuts };
    let checked = result.into_stream().map(move |piece| {
        let piece = piece?;
        if counter.is_even_at_cuts(&piece) {
            return Ok(piece);
        }
        Err(Error::Generic { store: "csv", source: Box::new(CutInQuotes(key.clone())) })
    });
    GetResult { payload: GetResultPayload::Stream(checked.boxed()), meta, range, attributes }
}

struct Counter {
    /// Offset of the next byte.
    at: u64,
    odd: bool,
    /// Where the part starts.
    from: u64,
    cuts: Arc<Cuts>,
}

impl Counter {
    fn is_even_at_cuts(&mut self, piece: &Bytes) -> bool {
        let end = self.at + piece.len() as u64;
        let lines = &self.cuts.lines;
        let next = lines.partition_point(|l| *l <= self.at.max(self.from));
        let mut rest = &piece
            [usize::try_from(self.from.saturating_sub(self.at)).unwrap_or(0).min(piece.len())..];
        let mut at = self.at.max(self.from);
        for line in lines[next..].iter().take_while(|l| **l <= end) {
            let (before, after) = rest.split_at(usize::try_from(line - at).unwrap_or(0));
            self.odd ^= is_odd(before, self.cuts.quote);
            if self.odd {
                return false;
            }
            (rest, at) = (after, *line);
        }
        self.odd ^= is_odd(rest, self.cuts.quote);
        self.at = end;
        true
    }
}

/// Whether a byte occurs an odd number of times.
fn is_odd(bytes: &[u8], quote: u8) -> bool {
    // so many fit a byte's count, and the compiler makes vector code of it
    let count = |chunk: &[u8]| chunk.iter().map(|b| u8::from(*b == quote)).sum::<u8>();
    bytes.chunks(255).fold(0u8, |odd, chunk| odd ^ (count(chunk) & 1)) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(text: &str, lines: &[u64], from: u64, pieces: usize) -> bool {
        let cuts = Arc::new(Cuts { lines: lines.to_vec(), quote: b'"' });
        let at = from.saturating_sub(1);
        let mut counter = Counter { at, odd: false, from, cuts };
        let bytes = &text.as_bytes()[usize::try_from(at).expect("small")..];
        bytes.chunks(pieces).all(|piece| counter.is_even_at_cuts(&Bytes::copy_from_slice(piece)))
    }

    #[test]
    fn a_cut_inside_quotes_is_noticed_whatever_the_pieces() {
        let text = "a,\"b\nc\"\nd,e\nf,\"g\"\n";
        let (inside, outside) =
            (text.find('c').expect("c") as u64, text.find('d').expect("d") as u64);
        for pieces in 1..text.len() {
            assert!(even(text, &[outside], 0, pieces), "{pieces}");
            assert!(even(text, &[outside], outside, pieces), "{pieces}");
            assert!(!even(text, &[inside], 0, pieces), "{pieces}");
            assert!(!even(text, &[inside, outside], inside, pieces), "{pieces}");
        }
    }

    #[test]
    fn quotes_are_counted_in_long_texts_too() {
        for count in [0, 1, 254, 255, 256, 1000, 1001] {
            assert_eq!(is_odd(&b"\"".repeat(count), b'"'), count % 2 == 1, "{count}");
        }
    }
}
