//! Columns of files that are in the files' keys as well: the key's value is the table's.

use std::sync::Arc;

use datafusion::arrow::csv::reader::Format as CsvReaderFormat;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use object_store::{ObjectMeta, ObjectStore};
use tidemill_protocol::job::{CsvOptions, Format};

use super::files::is_gzip;
use super::{PartitionColumn, PartitionKind, Table, TableFile};
use crate::error::{Failure, refused};
use crate::quarantine;

/// What the name of a column starts with that is read and not shown: a CSV file is read by the
/// places of its columns.
const UNSEEN: char = '\u{1}';

/// Bytes that the header of a CSV file is looked for in.
const HEADER_BYTES: u64 = 64 * 1024;

/// The columns as they are read from the files; `header` is what the files are known to hold.
pub(super) fn without(
    schema: &Schema,
    format: Format,
    in_keys: &[PartitionColumn],
    header: Option<&[String]>,
) -> Schema {
    let read = |field: &FieldRef| {
        if in_keys.iter().all(|c| c.name != *field.name()) {
            return Some(field.clone());
        }
        let is_in_file = header.is_none_or(|names| names.contains(field.name()));
        (format == Format::Csv && is_in_file).then(|| {
            Arc::new(Field::new(format!("{UNSEEN}{}", field.name()), DataType::Utf8, true))
        })
    };
    Schema::new(schema.fields().iter().filter_map(read).collect::<Vec<_>>())
}

/// Whether a column is in the files only for its place.
pub(crate) fn is_unseen(field: &Field) -> bool {
    field.name().starts_with(UNSEEN)
}

impl Table {
    /// A column that is in the keys, and in files that are read by place.
    pub(crate) fn column_in_key_and_file(&self) -> Option<&str> {
        let unseen = self.schema.0.fields().iter().find(|f| is_unseen(f))?;
        Some(unseen.name().trim_start_matches(UNSEEN))
    }
}

/// The names in the header of a file, if it tells them.
pub(super) async fn header(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    csv: &CsvOptions,
) -> Result<Option<Vec<String>>, Failure> {
    if !csv.header {
        return Ok(None);
    }
    let gzip = is_gzip(file.location.as_ref());
    let start = quarantine::start(&**store, file, gzip, HEADER_BYTES).await?;
    let format = CsvReaderFormat::default()
        .with_header(true)
        .with_delimiter(csv.delimiter as u8)
        .with_quote(csv.quote as u8);
    let names = |schema: Schema| schema.fields().iter().map(|f| f.name().clone()).collect();
    // the reader says what is wrong
    Ok(format.infer_schema(&start[..], Some(0)).ok().map(|(schema, _)| names(schema)))
}

/// Gives columns in the keys the types that are declared for them.
///
/// # Errors
/// The type is none that a key can have, or a value is not of it.
pub(super) fn declare(
    in_keys: &mut [PartitionColumn],
    declared: &Schema,
    files: &[TableFile],
) -> Result<(), Failure> {
    for (n, column) in in_keys.iter_mut().enumerate() {
        let Ok(field) = declared.field_with_name(&column.name) else { continue };
        let (kind, is_of): (_, fn(&str) -> bool) = match field.data_type() {
            t if t.is_string() => (PartitionKind::Text, |_: &str| true),
            t if t.is_integer() => (PartitionKind::Bigint, |v: &str| v.parse::<i64>().is_ok()),
            DataType::Date32 => {
                (PartitionKind::Date, |v: &str| v.parse::<chrono::NaiveDate>().is_ok())
            }
            other => {
                return refused(format!(
                    "column {} is in the keys and declared as {other}: declare it as varchar, bigint \
                     or date, and cast it in the statement",
                    column.name
                ));
            }
        };
        column.kind = kind;
        let value = |file: &TableFile| file.values.get(n).cloned().flatten();
        if let Some(file) = files.iter().find(|f| value(f).is_some_and(|v| !is_of(&v))) {
            return refused(format!(
                "{}: the value of column {} is not of its declared type {}",
                file.key,
                column.name,
                field.data_type()
            ));
        }
    }
    Ok(())
}
