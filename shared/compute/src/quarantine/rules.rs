use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, Scalar, StringArray};
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::{CastOptions, cast_with_options, nullif};
use datafusion::arrow::csv::ReaderBuilder as CsvBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder as JsonBuilder;
use datafusion::common::DataFusionError;
use tidemill_protocol::job::{CsvOptions, Format};

use super::records::{End, Splitter, is_line_end};
use crate::error::sentence;

/// What the lines of a table's files have to be.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(super) format: Format,
    pub(super) csv: CsvOptions,
    /// Of all columns in the files.
    schema: SchemaRef,
    /// As the reader gives them: text, where a text means null.
    read_as: SchemaRef,
}

/// A record, and what the splitter counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fields: Option<usize>,
    /// It is the first of its file.
    pub(super) at_start: bool,
}

/// The mark that a file of UTF-8 text may start with. A reader takes it off there and nowhere else.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

impl Counted<'_> {
    /// What is wrong with its bytes, whatever is in them: an encoding that a reader of several records
    /// might not see.
    fn wrong_bytes(&self) -> Option<String> {
        let line_ends = self.bytes.iter().take_while(|b| is_line_end(**b)).count();
        if !self.at_start && self.bytes[line_ends..].starts_with(&MARK) {
            return Some("it starts with a byte order mark".into());
        }
        let invalid = std::str::from_utf8(self.bytes).err()?;
        let at = invalid.valid_up_to().saturating_sub(line_ends);
        Some(format!("it is not UTF-8 text: byte {at} is invalid"))
    }
}

impl Rules {
    pub(crate) fn new(format: Format, csv: &CsvOptions, schema: SchemaRef) -> Self {
        let text = |f: &Arc<Field>| Field::new(f.name(), DataType::Utf8, true);
        let read_as = match &csv.null {
            None => schema.clone(),
            Some(_) => Arc::new(Schema::new(schema.fields().iter().map(text).collect::<Vec<_>>())),
        };
        Self { format, csv: csv.clone(), schema, read_as }
    }

    /// Only that lines have so many fields, or are objects of JSON: before the columns are known.
    pub(crate) fn of_form(format: Format, csv: &CsvOptions, fields: usize) -> Self {
        let text = |n| Field::new(format!("c{n}"), DataType::Utf8, true);
        let fields = if format == Format::Json { 0 } else { fields };
        let schema = Arc::new(Schema::new((0..fields).map(text).collect::<Vec<_>>()));
        Self::new(format, &CsvOptions { null: None, ..csv.clone() }, schema)
    }

    pub(super) fn splitter(&self) -> Splitter {
        Splitter::new(self.format, &self.csv)
    }

    /// A line that a reader of a part may skip as it skips the header of a whole file.
    pub(super) fn stand_in_header(&self) -> Vec<u8> {
        let CsvOptions { delimiter, quote, escape, comment, .. } = self.csv;
        let means_something =
            |c| [Some(delimiter), Some(quote), escape, comment].contains(&Some(c));
        let name = ('a'..='z').find(|c| !means_something(*c)).unwrap_or('a');
        let names = vec![name.to_string(); self.schema.fields().len().max(1)];
        format!("{}\n", names.join(&delimiter.to_string())).into_bytes()
    }

    /// Whether all of these records, one after the other, can be read.
    pub(super) fn allow(&self, records: &[Counted<'_>]) -> bool {
        let expected = self.schema.fields().len();
        let is_fine =
            |r: &Counted<'_>| r.fields.is_none_or(|n| n == expected) && r.wrong_bytes().is_none();
        records.iter().all(is_fine) && self.read(records, None).is_ok()
    }

    /// Why a record cannot be read.
    pub(super) fn reason(&self, record: Counted<'_>) -> String {
        if let Some(wrong) = record.wrong_bytes() {
            return wrong;
        }
        let expected = self.schema.fields().len();
        if let Some(found) = record.fields.filter(|n| *n != expected) {
            return format!("it has {found} fields, and the table {expected} columns");
        }
        if self.format == Format::Csv {
            for (number, field) in self.schema.fields().iter().enumerate() {
                if let Err(e) = self.read(&[record], Some(number)) {
                    return format!("column {}: {}", field.name(), plain(e));
                }
            }
        }
        self.read(&[record], None).map_or_else(plain, |()| "it cannot be read".into())
    }

    /// Reads records as the table's reader does; of CSV one column only, if so asked.
    fn read(&self, records: &[Counted<'_>], column: Option<usize>) -> Result<(), ArrowError> {
        match self.format {
            Format::Json => self.read_json(records),
            _ => self.read_csv(records, column),
        }
    }

    fn read_json(&self, records: &[Counted<'_>]) -> Result<(), ArrowError> {
        let builder = JsonBuilder::new(self.schema.clone()).with_batch_size(records.len().max(1));
        let mut decoder = builder.build_decoder()?;
        for Counted { bytes, .. } in records {
            let mut rest = *bytes;
            while !rest.is_empty() {
                let read = decoder.decode(rest)?;
                rest = &rest[read..];
                if read == 0 {
                    decoder.flush()?; // the batch is full
                }
            }
            if decoder.has_partial_record() {
                return Err(ArrowError::JsonError("the line is not a whole object".into()));
            }
        }
        decoder.flush()?;
        Ok(())
    }

    fn read_csv(&self, records: &[Counted<'_>], column: Option<usize>) -> Result<(), ArrowError> {
        let csv = &self.csv;
        let mut builder = CsvBuilder::new(self.read_as.clone())
            .with_delimiter(csv.delimiter as u8)
            .with_quote(csv.quote as u8)
            .with_batch_size(records.len().max(1));
        if let Some(escape) = csv.escape {
            builder = builder.with_escape(escape as u8);
        }
        if let Some(comment) = csv.comment {
            builder = builder.with_comment(comment as u8);
        }
        if let Some(column) = column {
            builder = builder.with_projection(vec![column]);
        }
        let mut decoder = builder.build_decoder();
        for Counted { bytes, .. } in records {
            let mut rest = *bytes;
            while !rest.is_empty() {
                let read = decoder.decode(rest)?;
                rest = &rest[read..];
                if read == 0 {
                    break; // the batch is full: what is left is an empty line
                }
            }
        }
        match (decoder.flush()?, &csv.null) {
            (Some(batch), Some(null)) => self.cast(&batch, null, column),
            _ => Ok(()),
        }
    }

    /// Turns text into the columns' types, as the view over a table with a text for null does.
    fn cast(
        &self,
        batch: &RecordBatch,
        null: &str,
        column: Option<usize>,
    ) -> Result<(), ArrowError> {
        let null = Scalar::new(StringArray::from(vec![null]));
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let fields = self.schema.fields().iter().enumerate();
        let fields = fields.filter(|(n, _)| column.is_none_or(|c| c == *n)).map(|(_, f)| f);
        for (values, field) in batch.columns().iter().zip(fields) {
            let known: ArrayRef = nullif(values, &eq(values, &null)?)?;
            cast_with_options(&known, field.data_type(), &options)?;
        }
        Ok(())
    }
}

/// What the reader says, without where in our own pieces it was.
fn plain(error: ArrowError) -> String {
    let text = sentence(&DataFusionError::from(error));
    let end =
        [" for column ", " at line ", ". Row data:"].iter().filter_map(|s| text.find(s)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

/// How many fields the first line of a CSV file has, which starts with these bytes.
pub(crate) fn fields_of_first_line(csv: &CsvOptions, mut start: Vec<u8>) -> usize {
    start.push(b'\n'); // the file may end with the line
    match Splitter::new(Format::Csv, csv).end(&start) {
        End::At { fields, .. } => fields.unwrap_or(0),
        End::Beyond | End::Nothing => 0,
    }
}
