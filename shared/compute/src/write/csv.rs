//! CSV that is read as it was written: an empty text is in quotes, and null is nothing.

use std::fs::File;
use std::io::Write as _;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use tidemill_protocol::job::CsvOptions;

use crate::error::{Failure, refused};

/// Writes batches to a file.
pub(crate) struct CsvWriter {
    file: File,
    csv: CsvOptions,
    /// What is not written yet.
    text: String,
}

impl CsvWriter {
    /// A file without rows has its header still.
    pub(crate) fn new(file: File, schema: &Schema, csv: &CsvOptions) -> Result<Self, Failure> {
        if let Some(field) = schema.fields().iter().find(|f| f.data_type().is_nested()) {
            return refused(format!(
                "column {} is a {}, which CSV cannot hold: write JSON or Parquet",
                field.name(),
                field.data_type()
            ));
        }
        let mut writer = Self { file, csv: csv.clone(), text: String::new() };
        if csv.header {
            for (number, field) in schema.fields().iter().enumerate() {
                writer.start_field(number);
                writer.field(field.name());
            }
            writer.text.push('\n');
        }
        writer.flush()?;
        Ok(writer)
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let options = FormatOptions::default();
        let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            for (number, (column, formatter)) in batch.columns().iter().zip(&columns).enumerate() {
                self.start_field(number);
                if column.is_null(row) {
                    self.text.push_str(self.csv.null.as_deref().unwrap_or_default());
                    continue;
                }
                value.clear();
                formatter.value(row).write(&mut value)?;
                self.field(&value);
            }
            self.text.push('\n');
        }
        self.flush()
    }

    fn start_field(&mut self, number: usize) {
        if number > 0 {
            self.text.push(self.csv.delimiter);
        }
    }

    fn field(&mut self, value: &str) {
        let CsvOptions { quote, escape, .. } = self.csv;
        if !self.needs_quotes(value) {
            self.text.push_str(value);
            return;
        }
        self.text.push(quote);
        for c in value.chars() {
            if c == quote || Some(c) == escape {
                self.text.push(escape.unwrap_or(quote));
            }
            self.text.push(c);
        }
        self.text.push(quote);
    }

    /// Whether it would be read as something else without them.
    fn needs_quotes(&self, value: &str) -> bool {
        let CsvOptions { delimiter, quote, comment, ref null, .. } = self.csv;
        let is_special = |c: char| c == delimiter || c == quote || matches!(c, '\n' | '\r');
        value.is_empty()
            || null.as_deref() == Some(value)
            || value.starts_with(|c| c == '\u{feff}' || Some(c) == comment)
            || value.contains(is_special)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }
}
