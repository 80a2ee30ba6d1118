//! Prints the result of a run: all of it, or what is left out is said.

mod calls;
mod csv;
mod format;
mod json;
mod table;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tidemill_aws::S3Bucket;
use tidemill_protocol::Key;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::record::Outcome;

use crate::terminal::{say, width};
use format::Format;

/// Rows of a table that are printed to a terminal or a pipe; a file has all.
const TABLE_ROWS: usize = 100;

/// The file that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// Where the rows of a result go, and in what form.
#[derive(Debug, Default, Args)]
pub(crate) struct Printer {
    /// The form of the rows. Without it, what the extension of --output says: .csv, .json, .jsonl,
    /// .ndjson or .parquet; and without --output a table of the first 100 rows.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write all rows to this file; - is standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Printer {
    /// # Errors
    /// The rows cannot go where they are to, or not in that form: said before anything runs.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Some(path) = self.file() else {
            if self.format()? == Format::Parquet
                && (self.output.is_none() || io::stdout().is_terminal())
            {
                bail!("Parquet is no text: name a file with --output FILE");
            }
            return Ok(());
        };
        if path.is_dir() {
            bail!("{} is a folder: name a file in it with --output", path.display());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            bail!("{} is no folder, so {} cannot be created", folder.display(), path.display());
        }
        self.format().map(|_| ())
    }

    /// The file that is written, if it is one.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| path.as_os_str() != STANDARD_OUTPUT)
    }

    fn format(&self) -> anyhow::Result<Format> {
        match (self.format, self.file()) {
            (Some(format), _) => Ok(format),
            (None, Some(path)) => Format::of_file(path),
            (None, None) => Ok(Format::Table),
        }
    }

    /// Of a statement that has no rows to print.
    pub(crate) fn say_unused(&self) {
        if let Some(path) = self.file() {
            say(&format!("the rows are in the table, so {} is not written", path.display()));
        }
    }

    pub(crate) async fn print(&self, bucket: &S3Bucket, outcome: &Outcome) -> anyhow::Result<()> {
        let (schema, batches) = read(bucket, outcome).await?;
        let (schema, batches) = with_distinct_names(&schema, batches)?;
        let result = match self.file() {
            None => self.write(&schema, &batches, io::stdout()),
            Some(path) => {
                let file = File::create(path)
                    .with_context(|| format!("creating {} failed", path.display()))?;
                self.write(&schema, &batches, file)
                    .with_context(|| format!("writing {} failed", path.display()))
            }
        };
        match result {
            // `| head` has seen enough
            Err(e) if is_broken_pipe(&e) => Ok(()),
            other => other,
        }
    }

    fn write(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
        to: impl Write + Send,
    ) -> anyhow::Result<()> {
        match self.format()? {
            Format::Table => {
                let room = match self.file() {
                    Some(_) => table::Room::default(),
                    None => table::Room {
                        rows: self.output.is_none().then_some(TABLE_ROWS),
                        columns: width(),
                    },
                };
                table::write(schema, batches, &room, to)?.iter().for_each(|line| say(line));
            }
            Format::Csv => csv::write(schema, batches, to)?,
            Format::Json => json::write(batches, to)?,
            Format::Parquet => {
                let mut writer = ArrowWriter::try_new(to, schema.clone(), None)?;
                batches.iter().try_for_each(|b| writer.write(b))?;
                writer.close()?;
            }
        }
        Ok(())
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|e| {
        e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
            || e.to_string().contains("Broken pipe")
    })
}

/// The rows of all parts, in their order.
pub(crate) async fn read(
    bucket: &S3Bucket,
    outcome: &Outcome,
) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut schema = None;
    let mut batches = vec![];
    for file in &outcome.files {
        let object = bucket.get(&file.key, None).await?;
        let bytes: Bytes = object.bytes;
        if file.key.ends_with(Key::CALLS_PART) {
            let batch = calls::rows(&file.key, &bytes)?;
            schema.get_or_insert_with(|| batch.schema());
            batches.push(batch);
            continue;
        }
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .with_context(|| format!("{} is damaged", file.key))?
            .build()?;
        schema.get_or_insert_with(|| datafusion::arrow::array::RecordBatchReader::schema(&reader));
        for batch in reader {
            batches.push(batch?);
        }
    }
    let schema = schema.context("the run has no result file")?;
    Ok((schema, batches))
}

/// The same rows with a name of its own for each column: of two members of an object with one name
/// a reader of JSON keeps one.
fn with_distinct_names(
    schema: &SchemaRef,
    batches: Vec<RecordBatch>,
) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut names: HashSet<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    if names.len() == schema.fields().len() {
        return Ok((schema.clone(), batches));
    }
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if seen.insert(field.name().clone()) {
            return field.clone();
        }
        let candidates = (1..).map(|n| format!("{}_{n}", field.name()));
        let name = candidates.into_iter().find(|name| names.insert(name.clone()));
        Arc::new(field.as_ref().clone().with_name(name.unwrap_or_default()))
    });
    let fields: Vec<_> = fields.collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let batches = batches.into_iter();
    let batches = batches.map(|b| RecordBatch::try_new(schema.clone(), b.columns().to_vec()));
    Ok((schema.clone(), batches.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn columns_of_one_name_are_all_there() {
        let names = ["a", "a_1", "a", "b", "a"];
        let fields: Vec<_> =
            names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
        let columns = (0..5).map(|n| Arc::new(Int64Array::from(vec![n])) as ArrayRef).collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns).expect("a batch");
        let (schema, batches) = with_distinct_names(&schema, vec![batch]).expect("renamed");
        let mut text = vec![];
        json::write(&batches, &mut text).expect("JSON");
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text, "{\"a\":0,\"a_1\":1,\"a_2\":2,\"b\":3,\"a_3\":4}\n");
        assert_eq!(schema.fields().len(), 5);
    }
}
