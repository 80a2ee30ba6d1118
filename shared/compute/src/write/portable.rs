use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use tidemill_protocol::job::Format;

use crate::columns::map_columns;
use crate::corrections::texts_of_intervals;
use crate::error::{Failure, refused};

/// The columns of a query as files can hold them: each with a name of its own and a type that
/// comes back as it was.
pub(super) struct Portable {
    pub(super) schema: SchemaRef,
}

impl Portable {
    pub(super) fn new(schema: &Schema) -> Self {
        Self { schema: Arc::new(with_unique_names(schema)) }
    }

    pub(super) fn cast(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        Ok(map_columns(batch, &self.schema, |column, to| match column.data_type() {
            DataType::Interval(_) => Ok(Arc::new(texts_of_intervals(column)?)),
            _ => cast(column, to),
        })?)
    }
}

/// Columns that share a name get a number: few readers of Parquet take them as they are.
fn with_unique_names(schema: &Schema) -> Schema {
    let mut taken: HashSet<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let mut name = field.name().clone();
        let mut number = 1;
        while !seen.insert(name.clone()) {
            name = loop {
                let candidate = format!("{}_{number}", field.name());
                number += 1;
                if taken.insert(candidate.clone()) {
                    break candidate;
                }
            };
        }
        Field::new(name, portable_type(field.data_type()), field.is_nullable())
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// # Errors
/// A column has values that files of the format cannot hold.
pub(crate) fn check_columns(schema: &Schema, format: Format) -> Result<(), Failure> {
    let hollow = |f: &&FieldRef| format == Format::Parquet && holds_nothing(f.data_type());
    match schema.fields().iter().find(hollow) {
        None => Ok(()),
        Some(field) => refused(format!(
            "column {0} holds objects without any field, which Parquet cannot hold: leave it out, or \
             write CASE WHEN {0} IS NOT NULL THEN '{{}}' END",
            field.name()
        )),
    }
}

fn holds_nothing(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => {
            fields.is_empty() || fields.iter().any(|f| holds_nothing(f.data_type()))
        }
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => holds_nothing(f.data_type()),
        _ => false,
    }
}

/// Parquet has no time in seconds: it would be stored as a plain number. Its writer knows neither
/// dictionaries of views nor SQL's intervals, which become text: those that it has lose months.
fn portable_type(data_type: &DataType) -> DataType {
    let field =
        |f: &FieldRef| Arc::new(f.as_ref().clone().with_data_type(portable_type(f.data_type())));
    match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Interval(_) => DataType::Utf8,
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Dictionary(_, value)
            if matches!(**value, DataType::Utf8View | DataType::BinaryView) =>
        {
            (**value).clone()
        }
        DataType::List(item) => DataType::List(field(item)),
        DataType::LargeList(item) => DataType::LargeList(field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(field(item), *size),
        DataType::Map(entry, sorted) => DataType::Map(field(entry), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_one_name_are_numbered_and_meet_no_other() {
        let names = ["a", "b", "a", "a_1", "a"];
        let fields: Vec<_> = names.iter().map(|n| Field::new(*n, DataType::Int8, true)).collect();
        let unique = with_unique_names(&Schema::new(fields));
        let names: Vec<_> = unique.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["a", "b", "a_2", "a_1", "a_3"]);
    }
}
