//! Columns of files that are in the files' keys as well: the key's value is the table's.

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use object_store::ObjectMeta;

use super::{PartitionColumn, PartitionKind, TableFile};
use crate::error::{Failure, refused};

/// The columns that are read from the files.
///
/// # Errors
/// A file that is read `by_place` has one that is in its key, too.
pub(super) fn without(
    schema: &Schema,
    in_keys: &[PartitionColumn],
    by_place: bool,
    files: &[ObjectMeta],
) -> Result<Schema, Failure> {
    let is_in_key = |field: &FieldRef| in_keys.iter().any(|c| c.name == *field.name());
    if let (true, Some(field), Some(file)) =
        (by_place, schema.fields().iter().find(|f| is_in_key(f)), files.first())
    {
        return refused(format!(
            "{}: column {} is in the file and in its key, and without a header the file's is not known \
             from the others: rename one of them",
            file.location,
            field.name()
        ));
    }
    Ok(Schema::new(schema.fields().iter().filter(|f| !is_in_key(f)).cloned().collect::<Vec<_>>()))
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
