//! The columns of text files whose table does not declare them: from their start, middle and end.

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_protocol::job::{CsvOptions, Format};

use super::evidence::Evidence;
use super::header::{Header, MARK, shortened};
use super::records::Records;
use super::shape::{self, Shape, UNFINISHED};
use crate::error::{Failure, refused};
use crate::quarantine::{self, FilePart};
use crate::table::{files, lines, title};

/// How many files are looked into at once.
const PARALLEL_FILES: usize = 16;

/// A file of up to so many bytes is looked at whole.
const WHOLE_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Of a larger one, so many bytes at its start decide.
const START_BYTES: u64 = 1024 * 1024;

/// And so many in its middle and at its end.
const PIECE_BYTES: u64 = 256 * 1024;

/// Records that are taken apart at once.
const BATCH_RECORDS: usize = 1024;

/// What was seen of a file: its columns in their order.
type Columns = Vec<(String, Shape)>;

/// The columns of a table, by all of its files.
///
/// # Errors
/// A file cannot be read, or differs from another.
pub(crate) async fn infer(
    store: &dyn ObjectStore,
    files: &[ObjectMeta],
    format: Format,
    csv: &CsvOptions,
    good_lines: bool,
) -> Result<Schema, Failure> {
    let look = Look { store, format, csv, good_lines };
    let looks: Vec<_> = files.iter().map(|file| look.at(file)).collect();
    let found: Vec<Columns> = stream::iter(looks).buffered(PARALLEL_FILES).try_collect().await?;
    let mut merged = Merged::default();
    for (columns, file) in found.into_iter().zip(files) {
        merged.add(columns, file.location.as_ref(), format, csv.header)?;
    }
    let field =
        |(name, shape, _): &(String, Shape, String)| Field::new(name, shape.data_type(), true);
    Ok(Schema::new(merged.columns.iter().map(field).collect::<Vec<_>>()))
}

/// How files are looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    store: &'a dyn ObjectStore,
    format: Format,
    csv: &'a CsvOptions,
    /// The store gives the good lines of parts of files.
    good_lines: bool,
}

/// A piece of a file.
struct Piece {
    bytes: Bytes,
    /// The file ends with it.
    is_last: bool,
}

impl Look<'_> {
    async fn at(self, file: &ObjectMeta) -> Result<Columns, Failure> {
        let start = self.start(file).await?;
        let mut pieces = vec![];
        let is_plain = !self.good_lines && !files::is_gzip(file.location.as_ref());
        if is_plain && !start.is_last {
            let middle = file.size / 2;
            let end = file.size.saturating_sub(PIECE_BYTES);
            for (from, to) in [(middle, middle + PIECE_BYTES), (end, file.size)] {
                let bytes = self.store.get_range(&file.location, from..to).await?;
                pieces.push(Piece { bytes, is_last: to == file.size });
            }
        }
        let found = match self.format {
            Format::Csv => self.csv(&start, &pieces),
            _ => json(&start, &pieces),
        };
        found.map_err(|why| {
            let hint = "; the option on_bad_row has such rows set aside";
            let hint = if why.contains("fields") { hint } else { "" };
            let (key, title) = (&file.location, title(self.format));
            Failure::Refused(format!("{key} cannot be read as {title}: {why}{hint}"))
        })
    }

    async fn start(&self, file: &ObjectMeta) -> Result<Piece, Failure> {
        let gzip = files::is_gzip(file.location.as_ref());
        if !gzip && !self.good_lines {
            let is_last = file.size <= WHOLE_FILE_BYTES_MAX;
            let bytes = match if is_last { file.size } else { START_BYTES } {
                0 => Bytes::new(),
                bytes => self.store.get_range(&file.location, 0..bytes).await?,
            };
            return Ok(Piece { bytes, is_last });
        }
        let bytes = if self.good_lines {
            let part = FilePart { key: file.location.to_string(), from: 0, to: file.size };
            let location = files::path(&part.location())?;
            let mut stream = self.store.get(&location).await?.into_stream();
            let mut bytes = vec![];
            while (bytes.len() as u64) < START_BYTES
                && let Some(piece) = stream.try_next().await?
            {
                bytes.extend_from_slice(&piece);
            }
            bytes
        } else {
            quarantine::start(self.store, file, gzip, START_BYTES).await.map_err(|e| {
                let e = Failure::from(datafusion::common::DataFusionError::from(e));
                match e.store_error() {
                    Some(_) => e,
                    None => Failure::Refused(format!(
                        "{} cannot be read as {}: {}",
                        file.location,
                        title(self.format),
                        e.to_string().trim_end_matches('.')
                    )),
                }
            })?
        };
        let is_last = (bytes.len() as u64) < START_BYTES;
        Ok(Piece { bytes: bytes.into(), is_last })
    }

    fn csv(&self, start: &Piece, pieces: &[Piece]) -> Result<Columns, String> {
        let csv = self.csv;
        let Some(header) = Header::parse(csv, &start.bytes, start.is_last) else {
            // a file of nothing has no rows
            return if start.is_last {
                Ok(vec![])
            } else {
                Err("its first line does not end".into())
            };
        };
        let count = header.names.len();
        let mut evidence = vec![Evidence::default(); count];
        let mark = if start.bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let (names, rest, after_return) = if csv.header {
            let after_return = header.ends_in_return(&start.bytes);
            (header.names, &start.bytes[header.bytes..], after_return)
        } else {
            let names = (1..=count).map(|n| format!("column_{n}")).collect();
            (names, &start.bytes[mark..], false)
        };
        add_records(csv, &mut evidence, rest, after_return, start.is_last)?;
        for piece in pieces {
            if let Some(at) = lines::first_line(&piece.bytes, csv, count) {
                // whatever is wrong with it is said when it is read
                let seen = &mut evidence.clone();
                if add_records(csv, seen, &piece.bytes[at..], false, piece.is_last).is_ok() {
                    evidence.clone_from(seen);
                }
            }
        }
        Ok(names.into_iter().zip(evidence.into_iter().map(Shape::Value)).collect())
    }
}

fn add_records(
    csv: &CsvOptions,
    evidence: &mut [Evidence],
    mut bytes: &[u8],
    after_return: bool,
    is_last: bool,
) -> Result<(), String> {
    let mut records = Records::new(csv, evidence.len(), after_return);
    let null = csv.null.as_deref();
    loop {
        let is_at_end = bytes.is_empty();
        if !is_at_end || is_last {
            let taken = records.take(bytes, BATCH_RECORDS)?;
            bytes = &bytes[taken..];
        }
        if !is_at_end && records.rows() < BATCH_RECORDS {
            continue;
        }
        let rows = records.flush()?;
        for row in 0..rows.rows {
            for (field, evidence) in evidence.iter_mut().enumerate() {
                let text = rows.get(row, field);
                if !text.is_empty() && null != Some(text) {
                    evidence.add(text);
                }
            }
        }
        if is_at_end {
            return Ok(());
        }
    }
}

fn json(start: &Piece, pieces: &[Piece]) -> Result<Columns, String> {
    let mut columns = vec![];
    let text = start.bytes.strip_prefix(MARK).unwrap_or(&start.bytes);
    is_objects(text)?;
    if !start.is_last && !text.contains(&b'\n') {
        return Err("its first line does not end within a MiB: declare the columns".into());
    }
    add_lines(&mut columns, text, start.is_last).map_err(|(line, why)| match why.as_str() {
        UNFINISHED if !start.is_last || line.is_some_and(|n| n < lines_of(text)) => {
            OVER_SEVERAL_LINES.to_owned()
        }
        why => line.map_or(why.to_owned(), |n| format!("line {n}: {why}")),
    })?;
    for piece in pieces {
        let from =
            piece.bytes.iter().position(|b| *b == b'\n').map_or(piece.bytes.len(), |n| n + 1);
        let mut seen = columns.clone();
        if add_lines(&mut seen, &piece.bytes[from..], piece.is_last).is_ok() {
            columns = seen;
        }
    }
    Ok(columns)
}

fn lines_of(text: &[u8]) -> usize {
    text.trim_ascii_end().iter().filter(|b| **b == b'\n').count() + 1
}

const OVER_SEVERAL_LINES: &str = "an object goes over several lines: write each on one, as \
     `jq -c .` does";

/// Whether it is what is read here: objects, and no array of them.
pub(super) fn is_objects(text: &[u8]) -> Result<(), String> {
    match text.trim_ascii_start().first() {
        Some(b'[') => Err("it is one array: write each of its objects on a line of its own, as \
             `jq -c '.[]'` does"
            .into()),
        _ => Ok(()),
    }
}

/// Adds what lines say; the error has the number of the line, if it is about one.
fn add_lines(
    columns: &mut Columns,
    bytes: &[u8],
    is_last: bool,
) -> Result<(), (Option<usize>, String)> {
    let mut rest = bytes;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let end = match rest.iter().position(|b| *b == b'\n') {
            Some(end) => end + 1,
            None if is_last => rest.len(),
            None => break,
        };
        let line = rest[..end].trim_ascii();
        rest = &rest[end..];
        if line.is_empty() {
            continue;
        }
        let line =
            str::from_utf8(line).map_err(|_| (Some(number), "it is not UTF-8 text".into()))?;
        for (name, shape) in shape::of_line(line).map_err(|e| (Some(number), e))? {
            shape::add(columns, name, shape)
                .map_err(|e| (None, format!("column {}", e.trim_start_matches('.'))))?;
        }
    }
    Ok(())
}

/// The columns of the files so far, each with the file that decided it.
#[derive(Default)]
struct Merged {
    columns: Vec<(String, Shape, String)>,
    files: usize,
}

impl Merged {
    fn add(
        &mut self,
        columns: Columns,
        key: &str,
        format: Format,
        header: bool,
    ) -> Result<(), Failure> {
        for (number, (name, _)) in columns.iter().enumerate() {
            if columns[..number].iter().any(|(other, _)| other == name) {
                return refused(format!(
                    "column {name} appears twice in {key}: rename one, or declare the columns in \
                     _schema.json"
                ));
            }
        }
        if format == Format::Csv && self.files > 0 {
            self.check_names(&columns, key, header)?;
        }
        self.files += 1;
        for (name, shape) in columns {
            self.add_column(name, shape, key)?;
        }
        Ok(())
    }

    fn add_column(&mut self, name: String, shape: Shape, key: &str) -> Result<(), Failure> {
        let Some((_, known, other)) = self.columns.iter_mut().find(|(n, ..)| *n == name) else {
            self.columns.push((name, shape, key.to_owned()));
            return Ok(());
        };
        let is_first = is_unknown(known);
        let merged = match known.conflicts_with(&shape) {
            true => None,
            false => known.clone().and(shape.clone()).ok(),
        };
        let Some(merged) = merged else {
            return refused(format!(
                "{other} and {key} are of one table but differ in column {name}: {} and {}; \
                 declare the column in _schema.json, or move one of the files",
                known.data_type(),
                shape.data_type()
            ));
        };
        if is_first {
            key.clone_into(other);
        }
        *known = merged;
        Ok(())
    }

    /// Columns may have been added or left out, but not both: then it is more likely another table.
    fn check_names(&self, columns: &Columns, key: &str, header: bool) -> Result<(), Failure> {
        let ours: Vec<_> = self.columns.iter().map(|(name, ..)| name.clone()).collect();
        let theirs: Vec<_> = columns.iter().map(|(name, _)| name.clone()).collect();
        let holds = |all: &[String], some: &[String]| some.iter().all(|name| all.contains(name));
        let fits = match header {
            true => holds(&ours, &theirs) || holds(&theirs, &ours),
            false => ours.len() == theirs.len(),
        };
        if fits {
            return Ok(());
        }
        let other = self.columns.first().map_or("", |(.., key)| key);
        refused(format!(
            "{other} and {key} are of one table but differ in their columns: {} and {}; declare \
             the columns in _schema.json, or move one of the files",
            shortened(&ours),
            shortened(&theirs)
        ))
    }
}

fn is_unknown(shape: &Shape) -> bool {
    match shape {
        Shape::Unknown => true,
        Shape::Value(evidence) => evidence.data_type() == DataType::Null,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    async fn types(files: &[(&str, String)], csv: &CsvOptions) -> Result<String, String> {
        let store = InMemory::new();
        let mut metas = vec![];
        for (name, text) in files {
            let path = Path::from(*name);
            store.put(&path, text.clone().into()).await.expect("written");
            metas.push(store.head(&path).await.expect("there"));
        }
        let json = files[0].0.ends_with(".json");
        let format = if json { Format::Json } else { Format::Csv };
        let schema = infer(&store, &metas, format, csv, false).await.map_err(|e| e.to_string())?;
        let types = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type()));
        Ok(types.collect::<Vec<_>>().join(", "))
    }

    async fn of_csv(files: &[&str]) -> Result<String, String> {
        const NAMES: [&str; 3] = ["t/a.csv", "t/b.csv", "t/c.csv"];
        let files: Vec<_> = NAMES.into_iter().zip(files.iter().map(|f| (*f).to_owned())).collect();
        types(&files, &CsvOptions::default()).await
    }

    #[tokio::test]
    async fn files_may_have_columns_in_another_order_and_fewer_or_more() {
        let found = of_csv(&["a,b\n1,x\n", "b,a\ny,2.5\n", "a,b,c\n1,z,2024-01-02\n"]).await;
        assert_eq!(found.as_deref(), Ok("a Float64, b Utf8, c Date32"));
        let why = of_csv(&["a,b\n1,x\n", "a,c\n1,x\n"]).await.expect_err("another table");
        assert!(why.contains("t/a.csv") && why.contains("t/b.csv"), "{why}");
    }

    #[tokio::test]
    async fn files_whose_columns_conflict_are_both_named() {
        let why = of_csv(&["n\n", "n\n1\n", "n\nword\n"]).await.expect_err("a conflict");
        assert!(why.contains("t/b.csv") && why.contains("t/c.csv"), "{why}");
        assert_eq!(of_csv(&["n\n10001\n", "n\n00501\n"]).await.as_deref(), Ok("n Utf8"));
        assert_eq!(of_csv(&["n\n", "n\n1\n", "n\n2.5\n"]).await.as_deref(), Ok("n Float64"));
        assert_eq!(of_csv(&["n,t\n,\n"]).await.as_deref(), Ok("n Utf8, t Utf8"));
    }

    #[tokio::test]
    async fn the_middle_and_the_end_of_a_large_file_decide_as_well() {
        let row = |n: usize| format!("{n},2024-01-02,{n}\n");
        let rows = |count| (0..count).map(row).collect::<String>();
        let (half, middle) = (rows(200_000), "1.5,2024-01-02,7\n".repeat(100));
        let text = format!("a,b,c\n{half}{middle}{half}1,2024-01-02 03:04:05,00501\n");
        assert!(text.len() as u64 > 4 * WHOLE_FILE_BYTES_MAX / 2);
        let found = of_csv(&[&text]).await.expect("columns");
        assert_eq!(found, "a Float64, b Timestamp(µs), c Utf8");
        let lines =
            |count: usize| (0..count).map(|n| format!("{{\"p\":{n}}}\n")).collect::<String>();
        let text = format!("{}{{\"p\":0.5}}\n", lines(400_000));
        let found = types(&[("t/a.json", text)], &CsvOptions::default()).await;
        assert_eq!(found.as_deref(), Ok("p Float64"));
    }

    #[tokio::test]
    async fn json_that_is_not_in_lines_is_named_with_a_remedy() {
        for (text, part) in [
            ("[{\"a\":1},\n{\"a\":2}]\n", "jq -c '.[]'"),
            ("{\n  \"a\": 1\n}\n", "jq -c ."),
            ("{\"a\":1}\n{\"a\":\n", "line 2"),
            ("{\"a\":1}\n{\"a\":{}}\n", "column a holds both"),
        ] {
            let files = [("t/a.json", text.to_owned())];
            let why = types(&files, &CsvOptions::default()).await.expect_err(text);
            assert!(why.contains("t/a.json") && why.contains(part), "{why}");
        }
        let marked = [("t/a.json", "\u{feff}{\"a\":1}\n".to_owned())];
        assert_eq!(types(&marked, &CsvOptions::default()).await.as_deref(), Ok("a Int64"));
    }

    #[tokio::test]
    async fn files_without_a_header_have_their_columns_by_place() {
        let csv = CsvOptions { header: false, null: Some("NA".into()), ..CsvOptions::default() };
        let files = [("t/a.csv", "1,x\nNA,\n".to_owned()), ("t/b.csv", "2.5,y".to_owned())];
        let found = types(&files, &csv).await;
        assert_eq!(found.as_deref(), Ok("column_1 Float64, column_2 Utf8"));
        let files = [("t/a.csv", "1,x\n".to_owned()), ("t/b.csv", "2\n".to_owned())];
        assert!(types(&files, &csv).await.is_err());
    }
}
