use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use tidemill_protocol::job::CsvOptions;

use super::convert::{Misfit, Texts, is_text};
use super::records::{Records, Rows};
use super::{Decoder, Problem};

/// Makes batches of records of CSV.
pub(crate) struct CsvDecoder {
    records: Records,
    /// Of each column, the field; a file may lack some.
    places: Vec<Option<usize>>,
    schema: SchemaRef,
    null: Option<String>,
    inferred: bool,
    batch_rows: usize,
}

/// What the fields of a file are.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    /// How many there are.
    pub(crate) count: usize,
    /// Of each column, its field.
    pub(crate) places: Vec<Option<usize>>,
    /// The header ended in half of a line end.
    pub(crate) after_return: bool,
}

impl Fields {
    /// Those of a file without a header.
    pub(crate) fn by_place(columns: usize) -> Self {
        let places = (0..columns).map(Some).collect();
        Self { count: columns, places, after_return: false }
    }

    /// Those of some columns.
    pub(crate) fn project(&self, columns: &[usize]) -> Self {
        let places = columns.iter().map(|c| self.places.get(*c).copied().flatten()).collect();
        Self { places, ..*self }
    }
}

impl CsvDecoder {
    /// `schema` is that of the columns of `fields`.
    pub(crate) fn new(
        csv: &CsvOptions,
        fields: &Fields,
        schema: SchemaRef,
        inferred: bool,
        batch_rows: usize,
    ) -> Self {
        Self {
            records: Records::new(csv, fields.count, fields.after_return),
            places: fields.places.clone(),
            schema,
            null: csv.null.clone(),
            inferred,
            batch_rows,
        }
    }
}

impl Decoder for CsvDecoder {
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Problem> {
        Ok(self.records.take(bytes, self.batch_rows)?)
    }

    fn is_full(&self) -> bool {
        self.records.rows() >= self.batch_rows
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>, Problem> {
        let rows = self.records.flush()?;
        if rows.rows == 0 {
            return Ok(None);
        }
        let mut columns = vec![];
        for (field, place) in self.schema.fields().iter().zip(&self.places) {
            let data_type = field.data_type();
            let Some(place) = *place else {
                columns.push(new_null_array(data_type, rows.rows));
                continue;
            };
            let column = column(&rows, place, data_type, self.null.as_deref(), self.inferred);
            columns.push(column.map_err(|value| Misfit {
                column: field.name().clone(),
                value: value.to_owned(),
                data_type: data_type.clone(),
                inferred: self.inferred,
            })?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        batch.map(Some).map_err(|e| Problem::Line(e.to_string()))
    }
}

/// What is empty, or the text for null, is null; in a column of texts, unless it is in quotes.
fn column<'a>(
    rows: &Rows<'a>,
    place: usize,
    data_type: &DataType,
    null: Option<&str>,
    inferred: bool,
) -> Result<ArrayRef, &'a str> {
    let count = rows.rows;
    if null.is_none() && (rows.is_plain() || !is_text(data_type)) {
        let get = |row| Some(rows.get(row, place)).filter(|text| !text.is_empty());
        return Texts { rows: count, get, inferred }.column(data_type);
    }
    let keeps_quoted = is_text(data_type);
    let get = |row| {
        let text = rows.get(row, place);
        let is_null = text.is_empty() || null == Some(text);
        Some(text).filter(|_| !is_null || keeps_quoted && rows.is_quoted(row, place))
    };
    Texts { rows: count, get, inferred }.column(data_type)
}
