//! Tables of Parquet files, made by queries, that both engines read.

use bytes::Bytes;
use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use crate::engine::EngineFixture;

/// Rows of a row group: few, so that a file has several.
const ROW_GROUP_ROWS: usize = 5000;

/// A table and its files.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) files: Vec<Bytes>,
}

impl Table {
    /// The rows of a query, in so many files.
    pub(crate) async fn of_query(name: &str, query: &str, files: usize) -> Self {
        let frame = SessionContext::new().sql(query).await.expect(query);
        Self::of_frame(name, frame, files).await.expect(query)
    }

    /// Rows in so many files of the same number of rows.
    pub(crate) async fn of_frame(name: &str, frame: DataFrame, files: usize) -> Result<Self> {
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        let rows = concat_batches(&schema, &batches)?;
        let each = rows.num_rows().div_ceil(files).max(1);
        let part = |n: usize| {
            let from = (n * each).min(rows.num_rows());
            rows.slice(from, each.min(rows.num_rows() - from))
        };
        let files = (0..files)
            .map(|n| parquet(&schema, [part(n)], ROW_GROUP_ROWS))
            .collect::<Result<_>>()?;
        Ok(Self { name: name.into(), files })
    }

    /// The same rows in one file, the last first.
    pub(crate) fn turned(&self) -> Result<Self> {
        let mut batches = vec![];
        for file in &self.files {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone())?.build()?;
            batches.extend(reader.collect::<Result<Vec<_>, _>>()?);
        }
        let Some(schema) = batches.first().map(RecordBatch::schema) else {
            return Ok(Self { name: self.name.clone(), files: self.files.clone() });
        };
        let rows = concat_batches(&schema, &batches)?;
        let count = u32::try_from(rows.num_rows()).expect("few rows");
        let rows = take_record_batch(&rows, &UInt32Array::from_iter_values((0..count).rev()))?;
        Ok(Self { name: self.name.clone(), files: vec![parquet(&schema, [rows], ROW_GROUP_ROWS)?] })
    }
}

/// A Parquet file with row groups of so many rows.
pub(crate) fn parquet(
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    group: usize,
) -> Result<Bytes> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut writer = ArrowWriter::try_new(vec![], schema.clone(), Some(properties))?;
    for batch in batches {
        writer.write(&batch)?;
    }
    Ok(writer.into_inner()?.into())
}

impl EngineFixture {
    /// Puts a table into the bucket and tells the oracle of it.
    pub(crate) async fn add(&self, table: &Table) {
        self.put_table("tables", table).await;
        register(&self.oracle, "tables", &table.name).await.expect("a table");
    }

    /// Puts a table into a folder of the bucket, in the place of another.
    pub(crate) async fn put_table(&self, folder: &str, table: &Table) {
        let folder = format!("{folder}/{}/", table.name);
        let before = self.world.keys(&folder).await;
        self.world.bucket.delete(&before).await.expect("deleted");
        for (number, file) in table.files.iter().enumerate() {
            self.put(&format!("{folder}{number:03}.parquet"), file.clone()).await;
        }
    }
}

/// Tells a session of a table in a folder of the bucket.
pub(crate) async fn register(session: &SessionContext, folder: &str, name: &str) -> Result<()> {
    let place = format!("memory://b/{folder}/{name}/");
    session.register_parquet(name, place, ParquetReadOptions::default()).await
}
