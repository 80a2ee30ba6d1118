use std::collections::HashSet;
use std::fs::File;
use std::io::Seek;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
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
        let batch = RecordBatch::try_new_with_options(
            self.schema.clone(),
            batch.columns().to_vec(),
            &options,
        )?;
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
        Field::new(name, field.data_type().clone(), field.is_nullable())
    });
    Schema::new(fields.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::DataType;

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
