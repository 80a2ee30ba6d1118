use std::fs::File;
use std::io::{BufWriter, Write};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::writer::{LineDelimited, Writer as JsonWriter};
use tempfile::{NamedTempFile, TempPath};
use tidemill_protocol::job::{CsvOptions, Format};

use super::csv::CsvWriter;
use super::json;
use super::parquet_file::ParquetFile;
use crate::error::Failure;

/// Writes batches of one schema into one spool file.
pub(crate) struct Encoder {
    kind: Kind,
    path: TempPath,
    rows: u64,
}

enum Kind {
    Parquet(Box<ParquetFile>),
    Csv(Box<CsvWriter>),
    Json(JsonWriter<BufWriter<File>, LineDelimited>),
}

/// A finished file.
pub(crate) struct Encoded {
    pub(crate) path: TempPath,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Encoder {
    /// Opens a spool file.
    pub(crate) fn new(
        schema: &SchemaRef,
        format: Format,
        csv: &CsvOptions,
    ) -> Result<Self, Failure> {
        let (file, path) = NamedTempFile::new()?.into_parts();
        let kind = match format {
            Format::Parquet => Kind::Parquet(Box::new(ParquetFile::new(file, schema)?)),
            Format::Csv => Kind::Csv(Box::new(CsvWriter::new(file, schema, csv)?)),
            Format::Json => Kind::Json(json::builder().build(BufWriter::new(file))),
        };
        Ok(Self { kind, path, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        match &mut self.kind {
            Kind::Parquet(writer) => writer.write(batch)?,
            Kind::Csv(writer) => writer.write(batch)?,
            Kind::Json(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    /// Bytes of the file, but for some that are still in a buffer.
    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        Ok(match &self.kind {
            Kind::Parquet(writer) => writer.bytes() as u64,
            Kind::Csv(_) | Kind::Json(_) => std::fs::metadata(&self.path)?.len(),
        })
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        match &self.kind {
            Kind::Parquet(writer) => writer.memory(),
            Kind::Csv(_) | Kind::Json(_) => 0,
        }
    }

    /// Writes out what is in memory; a Parquet file gets a row group.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        if let Kind::Parquet(writer) = &mut self.kind {
            writer.flush()?;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Encoded, Failure> {
        match self.kind {
            Kind::Parquet(writer) => writer.finish()?,
            Kind::Csv(writer) => drop(writer), // it has written each batch to its end
            Kind::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner().flush()?;
            }
        }
        let bytes = std::fs::metadata(&self.path)?.len();
        Ok(Encoded { path: self.path, rows: self.rows, bytes })
    }
}
