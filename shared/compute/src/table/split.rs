use serde::{Deserialize, Serialize};
use tidemill_protocol::job::Format;

use super::{Table, TableFile};

/// A part of a file: the unit that a scan's partitions are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Split {
    /// The file's number in its table.
    pub(crate) file: usize,
    /// Bytes `from` to `to`, or the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) range: Option<(u64, u64)>,
}

/// Files below this many bytes are not split: each split reads a footer or a line more.
const SPLIT_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// Distributes files over at most `partitions` partitions of about the same size. Files that can
/// be cut anywhere are cut; `files` are numbers of files in the table.
pub(crate) fn spread(table: &Table, files: &[usize], partitions: usize) -> Vec<Vec<Split>> {
    let size = |n: &usize| table.files[*n].size;
    let total: u64 = files.iter().map(size).sum();
    let share = total.div_ceil(partitions.max(1) as u64).max(1);
    let mut out: Vec<Vec<Split>> = vec![vec![]];
    let mut filled = 0;
    for number in files {
        let file = &table.files[*number];
        for (split, bytes) in cut(*number, file, table.format, share) {
            // a partition takes one that is mostly below its share
            if filled > 0 && filled + bytes / 2 > share && out.len() < partitions {
                out.push(vec![]);
                filled = 0;
            }
            if let Some(last) = out.last_mut() {
                last.push(split);
            }
            filled += bytes;
        }
    }
    out.retain(|p| !p.is_empty());
    out
}

/// The splits of one file with their sizes.
fn cut(number: usize, file: &TableFile, format: Format, share: u64) -> Vec<(Split, u64)> {
    if format == Format::Csv {
        return cut_at_lines(number, file, share);
    }
    let can_be_cut = !file.gzip;
    let pieces = file.size.div_ceil(share.max(SPLIT_BYTES_MIN)).max(1);
    if !can_be_cut || pieces == 1 {
        return vec![(Split { file: number, range: None }, file.size)];
    }
    let piece = file.size.div_ceil(pieces);
    (0..pieces)
        .map(|n| (n * piece, ((n + 1) * piece).min(file.size)))
        .filter(|(from, to)| from < to)
        .map(|(from, to)| (Split { file: number, range: Some((from, to)) }, to - from))
        .collect()
}

/// A CSV file may hold a line break inside quotes, so it is cut at known lines only.
fn cut_at_lines(number: usize, file: &TableFile, share: u64) -> Vec<(Split, u64)> {
    let piece = share.max(SPLIT_BYTES_MIN);
    let mut cuts = vec![0];
    for at in file.lines.iter().filter(|at| **at < file.size) {
        // the known line that is closest to the end of a piece, or a little before it
        if at + piece / 4 >= piece * cuts.len() as u64 {
            cuts.push(*at);
        }
    }
    if cuts.len() == 1 {
        return vec![(Split { file: number, range: None }, file.size)];
    }
    cuts.push(file.size);
    cuts.windows(2)
        .map(|w| (Split { file: number, range: Some((w[0], w[1])) }, w[1] - w[0]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::Schema;

    use super::*;
    use crate::table::EncodedSchema;

    fn table(format: Format, sizes: &[u64]) -> Table {
        let file = |size: &u64| TableFile {
            key: "k".into(),
            size: *size,
            etag: "e".into(),
            gzip: false,
            values: vec![],
            lines: vec![],
        };
        Table {
            name: "t".into(),
            format,
            csv: Default::default(),
            quarantine: false,
            inferred: false,
            schema: EncodedSchema(Arc::new(Schema::empty())),
            partition_columns: vec![],
            files: sizes.iter().map(file).collect(),
            statistics: None,
        }
    }

    #[test]
    fn every_byte_is_in_exactly_one_split() {
        let table = table(Format::Parquet, &[100_000_000, 1, 37_000_001]);
        for partitions in [1, 2, 7, 16] {
            let spread = spread(&table, &[0, 1, 2], partitions);
            assert!(spread.len() <= partitions);
            for (number, file) in table.files.iter().enumerate() {
                let mut ranges: Vec<_> = spread
                    .iter()
                    .flatten()
                    .filter(|s| s.file == number)
                    .map(|s| s.range.unwrap_or((0, file.size)))
                    .collect();
                ranges.sort_unstable();
                let mut at = 0;
                for (from, to) in ranges {
                    assert_eq!(from, at);
                    at = to;
                }
                assert_eq!(at, file.size);
            }
        }
    }

    #[test]
    fn small_files_share_partitions_and_csv_files_stay_whole() {
        let table = table(Format::Csv, &[90_000_000, 10, 10, 90_000_000]);
        let spread = spread(&table, &[0, 1, 2, 3], 2);
        let files: Vec<Vec<_>> =
            spread.iter().map(|p| p.iter().map(|s| s.file).collect()).collect();
        assert_eq!(files, [[0, 1], [2, 3]]);
    }
}
