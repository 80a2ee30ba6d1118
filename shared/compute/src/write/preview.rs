//! The first rows of a result, for who reads no Parquet.

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use tidemill_protocol::job::Column;
use tidemill_protocol::record::Preview;

use crate::error::Failure;
use crate::sql_type;

const ROWS_MAX: usize = 100;

/// Bytes of all values together: a page is a page.
const BYTES_MAX: usize = 64 * 1024;

/// The longest text of a value, in bytes.
const VALUE_BYTES_MAX: usize = 2_000;

/// Collects the first rows.
pub(crate) struct Previewer {
    preview: Preview,
    bytes: usize,
    is_full: bool,
}

impl Previewer {
    pub(crate) fn new(schema: &Schema) -> Self {
        let columns = schema.fields().iter().map(|field| Column {
            name: field.name().clone(),
            sql_type: sql_type::name(field.data_type()),
        });
        let preview = Preview { columns: columns.collect(), rows: vec![] };
        Self { preview, bytes: 0, is_full: false }
    }

    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        if self.is_full {
            return Ok(());
        }
        let options = FormatOptions::default().with_display_error(true);
        let columns = batch.columns().iter();
        let formatters = columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
        let nulls: Vec<_> = batch.columns().iter().map(|column| column.logical_nulls()).collect();
        for row in 0..batch.num_rows() {
            let values = nulls.iter().zip(&formatters).map(|(nulls, formatter)| {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                (!is_null).then(|| cut(formatter.value(row).to_string()))
            });
            let values: Vec<_> = values.collect();
            self.bytes += values.iter().flatten().map(String::len).sum::<usize>();
            if self.preview.rows.len() == ROWS_MAX || self.bytes > BYTES_MAX {
                self.is_full = true;
                return Ok(());
            }
            self.preview.rows.push(values);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Preview {
        self.preview
    }
}

fn cut(mut text: String) -> String {
    if text.len() > VALUE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(VALUE_BYTES_MAX));
        text.push('…');
    }
    text
}
