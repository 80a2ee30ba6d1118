use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use tidemill_protocol::job::{CsvOptions, Format};

use super::records::{Splitter, is_line_end};
use crate::table::{CsvDecoder, Decoder, Fields, Header, JsonDecoder, Problem, places};

/// What the lines of a table's files have to be.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(super) format: Format,
    pub(super) csv: CsvOptions,
    /// Of all columns in the files.
    schema: SchemaRef,
    inferred: bool,
    /// What the fields of a line of CSV are.
    fields: Fields,
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
    pub(crate) fn new(format: Format, csv: &CsvOptions, schema: SchemaRef, inferred: bool) -> Self {
        let fields = Fields::by_place(schema.fields().len());
        Self { format, csv: csv.clone(), schema, inferred, fields }
    }

    /// Only that lines have so many fields, or are objects of JSON: before the columns are known.
    pub(crate) fn of_form(format: Format, csv: &CsvOptions, fields: usize) -> Self {
        let fields = Fields { count: fields, places: vec![], after_return: false };
        Self { fields, ..Self::new(format, csv, Arc::new(Schema::empty()), false) }
    }

    /// The rules of a file with such a header.
    ///
    /// # Errors
    /// It names none of the columns.
    pub(super) fn of_file(&self, header: &Header) -> Result<Self, Problem> {
        let places = places(&self.schema, &header.names).map_err(Problem::File)?;
        let fields = Fields { count: header.names.len(), places, after_return: false };
        Ok(Self { fields, ..self.clone() })
    }

    pub(super) fn splitter(&self) -> Splitter {
        Splitter::new(self.format, &self.csv)
    }

    /// Whether an empty line is a row.
    pub(super) fn has_one_column(&self) -> bool {
        self.format == Format::Csv && self.fields.count == 1
    }

    /// A header for a file whose own cannot be read.
    pub(super) fn stand_in_header(&self) -> Vec<u8> {
        let CsvOptions { delimiter, quote, escape, .. } = self.csv;
        let named = self.schema.fields().iter().map(|f| f.name().clone());
        let numbered = (self.schema.fields().len()..self.fields.count).map(|n| format!("c{n}"));
        let quoted = |name: String| {
            let inner = name.chars().flat_map(|c| {
                let before = if c == quote { Some(escape.unwrap_or(quote)) } else { None };
                before.or(escape.filter(|e| *e == c)).into_iter().chain([c])
            });
            format!("{quote}{}{quote}", inner.collect::<String>())
        };
        let names: Vec<_> = named.chain(numbered).map(quoted).collect();
        format!("{}\n", names.join(&delimiter.to_string())).into_bytes()
    }

    /// Whether all of these records, one after the other, can be read.
    pub(super) fn allow(&self, records: &[Counted<'_>]) -> bool {
        let expected = self.fields.count;
        let is_fine =
            |r: &Counted<'_>| r.fields.is_none_or(|n| n == expected) && r.wrong_bytes().is_none();
        records.iter().all(is_fine) && self.read(records).is_ok()
    }

    /// Why a record cannot be read.
    pub(super) fn reason(&self, record: Counted<'_>) -> String {
        if let Some(wrong) = record.wrong_bytes() {
            return wrong;
        }
        let expected = self.fields.count;
        if let Some(found) = record.fields.filter(|n| *n != expected) {
            return format!("it has {found} fields, and there should be {expected}");
        }
        let fine = "it cannot be read".to_owned();
        self.read(&[record]).map_or_else(|problem| problem.to_string(), |()| fine)
    }

    /// Reads records as the table's reader does, all columns of them.
    fn read(&self, records: &[Counted<'_>]) -> Result<(), Problem> {
        let rows = records.len().max(1);
        let (schema, inferred) = (self.schema.clone(), self.inferred);
        match self.format {
            Format::Json => {
                let mut decoder = JsonDecoder::new(schema, inferred, rows)
                    .map_err(|e| Problem::File(e.to_string()))?;
                for record in records {
                    take(&mut decoder, record.bytes)?;
                    if decoder.is_within_object() {
                        return Err(Problem::Line("the line is not a whole object".into()));
                    }
                }
                decoder.flush().map(drop)
            }
            _ => {
                let mut decoder = CsvDecoder::new(&self.csv, &self.fields, schema, inferred, rows);
                for record in records {
                    take(&mut decoder, record.bytes)?;
                }
                decoder.flush().map(drop)
            }
        }
    }
}

fn take(decoder: &mut impl Decoder, mut bytes: &[u8]) -> Result<(), Problem> {
    while !bytes.is_empty() {
        if decoder.is_full() {
            decoder.flush()?;
        }
        let taken = decoder.take(bytes)?;
        bytes = &bytes[taken..];
    }
    Ok(())
}

/// How many fields the first line of a CSV file has, which starts with these bytes.
pub(crate) fn fields_of_first_line(csv: &CsvOptions, start: &[u8]) -> usize {
    Header::parse(csv, start, true).map_or(0, |header| header.names.len())
}
