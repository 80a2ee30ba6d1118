use std::fmt::Write as _;

use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;

use super::stored::Stored;
use crate::support::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Csv,
    Json,
}

/// A table: its cells follow from a seed, so that fewer rows are the first ones of it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Stored>,
    pub(crate) rows: usize,
    pub(crate) format: Format,
    files: usize,
    /// Whether there is also a file without rows.
    empty_file: bool,
    seed: u64,
}

const NAMES: [&str; 3] = ["t0", "t1", "t2"];

impl Table {
    /// One to three tables, most of them small, so that joins of all of them stay so.
    pub(crate) fn some(dice: &mut Dice) -> Vec<Self> {
        let count = 1 + dice.below(NAMES.len());
        NAMES[..count].iter().map(|name| Self::random(name, dice)).collect()
    }

    fn random(name: &'static str, dice: &mut Dice) -> Self {
        let format = dice.pick(&[
            Format::Parquet,
            Format::Parquet,
            Format::Parquet,
            Format::Csv,
            Format::Json,
        ]);
        let kinds = match format {
            Format::Parquet => Stored::PARQUET,
            Format::Csv => Stored::ANY_FORMAT,
            Format::Json => &Stored::ANY_FORMAT[..4],
        };
        let more = kinds.iter().copied().filter(|_| dice.chance(60));
        let columns = [Stored::Id, Stored::Key].into_iter().chain(more).collect();
        let least = usize::from(format != Format::Parquet);
        let most = dice.pick(&[1, 12, 40, 40, 40, 100, 100, 300]);
        let rows = least + dice.below(most);
        let files = 1 + dice.below(5);
        // an empty file is no JSON
        let empty_file = format != Format::Json && dice.chance(25);
        Self { name, columns, rows, format, files, empty_file, seed: dice.seed() }
    }

    /// Smaller tables, the smallest first. A text file tells its types by its first row.
    pub(crate) fn simpler(&self) -> Vec<Self> {
        let least = usize::from(self.format != Format::Parquet);
        let fewer = [least, self.rows / 2, self.rows - self.rows / 4, self.rows.saturating_sub(1)];
        let mut found = vec![];
        for rows in fewer {
            if rows >= least && rows < self.rows {
                found.push(Self { rows, ..self.clone() });
            }
        }
        if self.format != Format::Parquet {
            found.push(Self { format: Format::Parquet, ..self.clone() });
        }
        if self.empty_file {
            found.push(Self { empty_file: false, ..self.clone() });
        }
        for files in [1, self.files.saturating_sub(1)] {
            if files >= 1 && files < self.files {
                found.push(Self { files, ..self.clone() });
            }
        }
        for n in 1..self.columns.len() {
            let mut fewer = self.clone();
            fewer.columns.remove(n);
            found.push(fewer);
        }
        found
    }

    /// All rows, with the types that a reader of the files gives them.
    pub(crate) fn in_memory(&self) -> RecordBatch {
        let stored = self.part(0..self.rows);
        let as_view = |column: &ArrayRef| match column.data_type() {
            DataType::Utf8 if self.format == Format::Parquet => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other.clone(),
        };
        let columns = stored.columns().iter().zip(&self.columns).map(|(array, column)| {
            let array = cast(array, &as_view(array)).expect("a view");
            (column.name(), array, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
    }

    /// The keys of its files and what is in them.
    pub(crate) fn files(&self) -> Vec<(String, Bytes)> {
        let share = self.rows.div_ceil(self.files).max(1);
        let mut parts: Vec<_> =
            (0..self.rows).step_by(share).map(|from| from..(from + share).min(self.rows)).collect();
        if self.empty_file || parts.is_empty() {
            parts.push(self.rows..self.rows);
        }
        let file = |(n, part)| {
            let (extension, bytes) = self.file(part);
            (format!("tables/{}/{n}.{extension}", self.name), bytes.into())
        };
        parts.into_iter().enumerate().map(file).collect()
    }

    /// The extension of a file of some rows, and what is in it.
    fn file(&self, rows: std::ops::Range<usize>) -> (&'static str, Vec<u8>) {
        match self.format {
            Format::Parquet => ("parquet", parquet(&self.part(rows))),
            Format::Csv => ("csv", self.csv(rows)),
            Format::Json => ("ndjson", self.json(rows)),
        }
    }

    /// What a reader needs to make the table again.
    pub(crate) fn describe(&self) -> String {
        let files = self.files().len();
        let rows = pretty_format_batches(&[self.in_memory()]).expect("a table");
        format!("{} is {:?} in {files} files:\n{rows}\n", self.name, self.format)
    }

    fn part(&self, rows: std::ops::Range<usize>) -> RecordBatch {
        let columns = self.columns.iter().map(|column| -> (&str, ArrayRef, bool) {
            let cells: Vec<_> = rows.clone().map(|row| self.cell(*column, row)).collect();
            (column.name(), column.array(&cells), true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
    }

    fn csv(&self, rows: std::ops::Range<usize>) -> Vec<u8> {
        let names: Vec<_> = self.columns.iter().map(|c| c.name()).collect();
        let mut text = names.join(",") + "\n";
        for row in rows {
            let cell = |column: &Stored| match self.cell(*column, row) {
                None => String::new(),
                Some(value) => match column.written(value).0 {
                    text if text.contains([',', '"', '\n']) => {
                        format!("\"{}\"", text.replace('"', "\"\""))
                    }
                    text => text,
                },
            };
            let cells: Vec<_> = self.columns.iter().map(cell).collect();
            text += &(cells.join(",") + "\n");
        }
        text.into_bytes()
    }

    fn json(&self, rows: std::ops::Range<usize>) -> Vec<u8> {
        let mut text = String::new();
        for row in rows {
            let field = |column: &Stored| {
                let name = column.name();
                match self.cell(*column, row) {
                    // a field that is null and one that is missing are the same
                    None => (row % 2 == 0).then(|| format!("\"{name}\":null")),
                    Some(value) => Some(match column.written(value) {
                        (text, true) => format!("\"{name}\":{}", serde_json::json!(text)),
                        (text, false) => format!("\"{name}\":{text}"),
                    }),
                }
            };
            let fields: Vec<_> = self.columns.iter().filter_map(field).collect();
            writeln!(text, "{{{}}}", fields.join(",")).expect("text");
        }
        text.into_bytes()
    }

    fn cell(&self, column: Stored, row: usize) -> Option<i64> {
        if column == Stored::Id {
            return Some(i64::try_from(row).expect("few rows"));
        }
        let of_column = mix(self.seed ^ (column as u64 + 1));
        let of_cell = mix(of_column ^ (row as u64) << 8);
        let nulls = [0, 0, 10, 10, 40, 95][usize::try_from(of_column % 6).expect("small")];
        // the first row has no nulls, so that the types of a text file can be told
        if row > 0 && of_cell % 100 < nulls {
            return None;
        }
        let distinct = match column {
            Stored::Key => [4, 12, 60][usize::try_from(self.seed % 3).expect("small")],
            _ => [2, 9, 50, 900][usize::try_from(of_column >> 8 & 3).expect("small")],
        };
        let spread = of_cell >> 16;
        // half of the values are among the first three
        let value = if of_cell >> 8 & 1 == 0 { spread % 3 } else { spread % distinct };
        i64::try_from(value).ok()
    }
}

/// Row groups are small, so that a file has several.
fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(16)).build();
    let mut bytes = vec![];
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("rows");
    writer.close().expect("a footer");
    bytes
}

/// A number that looks random (SplitMix64).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
