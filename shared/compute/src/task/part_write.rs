use std::collections::HashSet;
use std::fs::File;
use std::io::Seek;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;

use crate::error::Failure;

/// Writes a part of a result as Parquet.
pub(crate) struct PartWriter {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    rows: u64,
}

impl PartWriter {
    pub(crate) fn new(schema: &Schema) -> Result<Self, Failure> {
        let schema = Arc::new(with_unique_names(schema));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .build();
        let file = tempfile::tempfile()?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
        Ok(Self { writer, schema, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| Ok(cast(column, field.data_type())?))
            .collect::<Result<Vec<_>, Failure>>()?;
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(self.writer.write(&batch)?)
    }

    /// The file, its rows and its bytes.
    pub(crate) fn finish(self) -> Result<(File, u64, u64), Failure> {
        let mut file = self.writer.into_inner()?;
        let bytes = file.stream_position()?;
        file.rewind()?;
        Ok((file, self.rows, bytes))
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

/// Parquet has no time in seconds: it would be stored as a plain number.
fn portable_type(data_type: &DataType) -> DataType {
    let field =
        |f: &FieldRef| Arc::new(f.as_ref().clone().with_data_type(portable_type(f.data_type())));
    match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::List(item) => DataType::List(field(item)),
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
