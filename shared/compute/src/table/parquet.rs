//! What a Parquet file says of its columns: their types as they are read, and their statistics.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::stats::Precision;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::physical_plan::parquet::Int96Coercer;
use datafusion::parquet::arrow::async_reader::MetadataFetch;
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::basic::{LogicalType, Type as PhysicalType};
use datafusion::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use datafusion::parquet::schema::types::SchemaDescriptor;
use futures::future::BoxFuture;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::FileStatistics;
use crate::error::Failure;

/// Bytes that most footers of Parquet files fit into.
pub(crate) const PARQUET_FOOTER_BYTES: usize = 64 * 1024;

/// Bytes of a UUID.
pub(super) const UUID_BYTES: i32 = 16;

/// The schema of a file as it is read, and its statistics by it.
pub(super) async fn infer(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
) -> Result<(Schema, Option<FileStatistics>), Failure> {
    let footer = FooterOf { store: store.clone(), path: file.location.clone() };
    let metadata = ParquetMetaDataReader::new()
        .with_prefetch_hint(Some(PARQUET_FOOTER_BYTES))
        .load_and_finish(footer, file.size)
        .await?;
    let about = metadata.file_metadata();
    let descriptor = about.schema_descr();
    let stored = parquet_to_arrow_schema(descriptor, about.key_value_metadata())?;
    let stored = Int96Coercer::new(descriptor, &stored, &INT96_UNIT).coerce().unwrap_or(stored);
    let stored =
        Arc::new(Schema::new(stored.fields().iter().map(|f| as_view(f)).collect::<Vec<_>>()));
    let statistics = FileStatistics::of(&metadata, &stored).ok();
    let read =
        Schema::new(stored.fields().iter().map(|f| as_text(f, descriptor)).collect::<Vec<_>>());
    // what is known of the bytes of a UUID is not known of its text
    let statistics =
        statistics.map(|s| without_int96(s, &metadata, &stored).project(&stored, &read));
    Ok((read, statistics))
}

/// How the files of all tables are read.
pub(super) fn options() -> TableParquetOptions {
    let mut options = TableParquetOptions::default();
    options.global.coerce_int96 = Some(INT96_UNIT_NAME.to_owned());
    options
}

/// The old times of 96 bits, as Spark wrote and writes them, have days of all years: nanoseconds end
/// in 2262, and Spark itself knows microseconds.
const INT96_UNIT: TimeUnit = TimeUnit::Microsecond;
const INT96_UNIT_NAME: &str = "us";

/// Writers disagree about the order of such times, so bounds are not bounds.
fn without_int96(
    mut statistics: FileStatistics,
    metadata: &ParquetMetaData,
    schema: &Schema,
) -> FileStatistics {
    let columns = metadata.file_metadata().schema_descr().columns();
    let int96 = columns.iter().filter(|c| c.physical_type() == PhysicalType::INT96);
    for column in int96 {
        let root = column.path().parts().first();
        if let Some((n, _)) = root.and_then(|name| schema.column_with_name(name)) {
            let known = &mut statistics.statistics.column_statistics[n];
            (known.min_value, known.max_value) = (Precision::Absent, Precision::Absent);
        }
    }
    statistics
}

/// Strings and binaries are read as views, without a copy.
fn as_view(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}

/// A UUID is compared with its text: to the engine its sixteen bytes would be bytes.
fn as_text(field: &Field, descriptor: &SchemaDescriptor) -> Field {
    let stored = descriptor.root_schema().get_fields().iter().find(|t| t.name() == field.name());
    let logical =
        stored.filter(|t| t.is_primitive()).and_then(|t| t.get_basic_info().logical_type_ref());
    match (field.data_type(), logical) {
        (DataType::FixedSizeBinary(UUID_BYTES), Some(LogicalType::Uuid)) => {
            field.clone().with_data_type(DataType::Utf8View)
        }
        _ => field.clone(),
    }
}

struct FooterOf {
    store: Arc<dyn ObjectStore>,
    path: object_store::path::Path,
}

impl MetadataFetch for FooterOf {
    fn fetch(
        &mut self,
        range: Range<u64>,
    ) -> BoxFuture<'_, datafusion::parquet::errors::Result<Bytes>> {
        Box::pin(async move { Ok(self.store.get_range(&self.path, range).await?) })
    }
}
