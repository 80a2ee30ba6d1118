//! Prints the result of a run.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::record::Outcome;

/// Rows of a table that are printed to a terminal or a pipe.
const TABLE_ROWS: usize = 100;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Table,
    Csv,
    /// One object a line.
    Json,
    Parquet,
}

/// Where the rows of a result go, and in what form.
#[derive(Debug, Default, Args)]
pub(crate) struct Printer {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the result to this file.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

impl Printer {
    /// # Errors
    /// The form cannot go where it is to: said before anything runs.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.format == Format::Parquet && self.output.is_none() {
            bail!("Parquet is no text: name a file with --output FILE");
        }
        Ok(())
    }

    pub(crate) async fn print(&self, bucket: &S3Bucket, outcome: &Outcome) -> anyhow::Result<()> {
        let (schema, batches) = read(bucket, outcome).await?;
        let result = match &self.output {
            None => self.write(&schema, &batches, io::stdout()),
            Some(path) => {
                let file = File::create(path)
                    .with_context(|| format!("creating {} failed", path.display()))?;
                self.write(&schema, &batches, file)
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
        mut to: impl Write + Send,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Table => write_table(schema, batches, to)?,
            Format::Csv => {
                let mut writer = WriterBuilder::new().with_header(true).build(&mut to);
                writer.write(&RecordBatch::new_empty(schema.clone()))?;
                batches.iter().try_for_each(|b| writer.write(b))?;
            }
            Format::Json => {
                let mut writer = LineDelimitedWriter::new(&mut to);
                batches.iter().try_for_each(|b| writer.write(b))?;
                writer.finish()?;
            }
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

fn write_table(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    mut to: impl Write,
) -> anyhow::Result<()> {
    let mut shown = vec![RecordBatch::new_empty(schema.clone())];
    let mut left = TABLE_ROWS;
    for batch in batches {
        let rows = batch.num_rows().min(left);
        shown.push(batch.slice(0, rows));
        left -= rows;
    }
    writeln!(to, "{}", pretty_format_batches(&shown)?)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows > TABLE_ROWS {
        writeln!(to, "… {} more rows; --format csv prints all", rows - TABLE_ROWS)?;
    }
    Ok(())
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
