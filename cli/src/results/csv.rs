//! Rows as CSV, as PostgreSQL's `COPY … CSV HEADER` writes them: NULL is nothing, an empty text is
//! `""`. Arrow's writer makes both the same, and refuses lists, maps and structs, which are JSON here.

use std::io::Write;

use datafusion::arrow::array::{Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::NullableEncoder;

use super::json::encoder;
use super::table::texts;

pub(super) fn write(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    mut to: impl Write,
) -> anyhow::Result<()> {
    let mut header = vec![];
    let names = schema.fields().iter().map(|f| f.name().as_bytes());
    write_row(&mut header, names.map(Some));
    to.write_all(&header)?;
    for batch in batches {
        let columns = schema.fields().iter().zip(batch.columns());
        let mut columns: Vec<Column<'_>> = columns
            .map(|(field, array)| Column::new(field, array.as_ref()))
            .collect::<Result<_, _>>()?;
        let mut rows = vec![];
        for row in 0..batch.num_rows() {
            write_row(&mut rows, columns.iter_mut().map(|column| column.value(row)));
        }
        to.write_all(&rows)?;
    }
    to.flush()?;
    Ok(())
}

/// The values of a column as texts.
enum Column<'a> {
    Flat(StringArray),
    Nested(NullableEncoder<'a>, Vec<u8>),
}

impl<'a> Column<'a> {
    fn new(field: &'a FieldRef, array: &'a dyn Array) -> Result<Self, ArrowError> {
        match array.data_type().is_nested() {
            true => Ok(Self::Nested(encoder(field, array)?, vec![])),
            false => Ok(Self::Flat(texts(field.name(), array)?)),
        }
    }

    fn value(&mut self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Flat(texts) => texts.is_valid(row).then(|| texts.value(row).as_bytes()),
            Self::Nested(encoder, _) if encoder.is_null(row) => None,
            Self::Nested(encoder, text) => {
                text.clear();
                encoder.encode(row, text);
                Some(text)
            }
        }
    }
}

fn write_row<'a>(to: &mut Vec<u8>, values: impl Iterator<Item = Option<&'a [u8]>>) {
    let start = to.len();
    for (number, value) in values.enumerate() {
        if number > 0 {
            to.push(b',');
        }
        match value {
            None => {}
            Some(text) if is_quoted(text) => {
                to.push(b'"');
                for byte in text {
                    to.push(*byte);
                    if *byte == b'"' {
                        to.push(b'"');
                    }
                }
                to.push(b'"');
            }
            Some(text) => to.extend(text),
        }
    }
    if to.len() == start {
        to.extend(b"\"\""); // many readers skip an empty line, and the row with it
    }
    to.push(b'\n');
}

fn is_quoted(text: &[u8]) -> bool {
    text.is_empty() || text.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r'))
}
