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
use tidemill_protocol::context;
use tidemill_protocol::record::{Outcome, Preview};

use crate::terminal::{say, width};
use format::Format;

/// Rows of a table that are printed to a terminal or a pipe; a file has all.
const TABLE_ROWS: usize = 100;

/// A preview has values of up to so many bytes as they are.
const PREVIEW_VALUE_BYTES: usize = 2_000;

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
    /// At most so many rows.
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    /// Say the type of each column of a table.
    #[arg(long)]
    types: bool,
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
        let rows = usize::try_from(outcome.rows).unwrap_or(usize::MAX);
        let most = self.most_rows();
        if let Some(most) = most.filter(|_| self.is_for_people())
            && let Some(preview) = preview(bucket, outcome, most.min(rows)).await?
        {
            return self.say(table::write_preview(&preview, rows, &self.room(), io::stdout()));
        }
        let (schema, batches) = read_first(bucket, outcome, most).await?;
        let (schema, batches) = with_distinct_names(&schema, batches)?;
        let result = match self.file() {
            None => self.write(&schema, &batches, rows, io::stdout()),
            Some(path) => {
                let file = File::create(path)
                    .with_context(|| format!("creating {} failed", path.display()))?;
                self.write(&schema, &batches, rows, file)
                    .with_context(|| format!("writing {} failed", path.display()))
            }
        };
        ended(result)
    }

    /// Whether rows are printed as a table, and not written to a file.
    fn is_for_people(&self) -> bool {
        self.output.is_none() && self.format().is_ok_and(|format| format == Format::Table)
    }

    /// The most rows that are printed or written; all, if nothing limits them.
    fn most_rows(&self) -> Option<usize> {
        self.limit.or_else(|| self.is_for_people().then_some(TABLE_ROWS))
    }

    fn room(&self) -> table::Room {
        let rows = self.most_rows();
        match self.file() {
            Some(_) => table::Room { rows, columns: None, types: self.types },
            None => table::Room { rows, columns: width(), types: self.types },
        }
    }

    fn write(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
        rows: usize,
        to: impl Write + Send,
    ) -> anyhow::Result<()> {
        match self.format()? {
            Format::Table => {
                return self.say(table::write(schema, batches, rows, &self.room(), to));
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

    /// Says what is left out of a table.
    fn say(&self, written: anyhow::Result<Option<String>>) -> anyhow::Result<()> {
        ended(written.map(|left_out| left_out.iter().for_each(|line| say(line))))
    }
}

/// What writing came to: `| head` has seen enough.
fn ended(result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(e) if is_broken_pipe(&e) => Ok(()),
        other => other,
    }
}

/// The first rows of a result as its run left them, if they are so many.
async fn preview(
    bucket: &S3Bucket,
    outcome: &Outcome,
    rows: usize,
) -> anyhow::Result<Option<Preview>> {
    let key = Key::Preview(&outcome.job, &outcome.run).to_string();
    let found: Option<Preview> = context::find(bucket, &key).await?;
    // values that are too long for it, or have no text, are looked at where they are
    let is_whole = |text: &String| text.len() < PREVIEW_VALUE_BYTES && !text.starts_with("ERROR");
    let Some(mut found) = found.filter(|preview| {
        preview.rows.len() == rows && preview.rows.iter().flatten().flatten().all(is_whole)
    }) else {
        return Ok(None);
    };
    let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    let names = distinct(&names);
    for (column, name) in found.columns.iter_mut().zip(names) {
        column.name = name;
    }
    Ok(Some(found))
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
    read_first(bucket, outcome, None).await
}

/// The first rows, from as many parts as have them.
async fn read_first(
    bucket: &S3Bucket,
    outcome: &Outcome,
    most: Option<usize>,
) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
    let (schema, mut batches) = read_parts(bucket, outcome, most).await?;
    if let Some(most) = most {
        let mut left = most;
        for batch in &mut batches {
            *batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
        }
    }
    Ok((schema, batches))
}

async fn read_parts(
    bucket: &S3Bucket,
    outcome: &Outcome,
    most: Option<usize>,
) -> anyhow::Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut schema = None;
    let mut batches: Vec<RecordBatch> = vec![];
    for file in &outcome.files {
        let read: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if schema.is_some() && most.is_some_and(|most| read >= most) {
            break;
        }
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
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let distinct = distinct(&names);
    if distinct == names {
        return Ok((schema.clone(), batches));
    }
    let fields = schema.fields().iter().zip(distinct);
    let fields = fields.map(|(field, name)| field.as_ref().clone().with_name(name));
    let fields: Vec<_> = fields.collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let batches = batches.into_iter();
    let batches = batches.map(|b| RecordBatch::try_new(schema.clone(), b.columns().to_vec()));
    Ok((schema.clone(), batches.collect::<Result<_, _>>()?))
}

/// Names, of which those that were there before have a number.
fn distinct(names: &[&str]) -> Vec<String> {
    let mut known: HashSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut seen = HashSet::new();
    let one = |name: &&str| {
        if seen.insert((*name).to_owned()) {
            return (*name).to_owned();
        }
        let candidates = (1..).map(|n| format!("{name}_{n}"));
        candidates.into_iter().find(|name| known.insert(name.clone())).unwrap_or_default()
    };
    names.iter().map(one).collect()
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
