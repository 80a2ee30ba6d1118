//! Pinned tables as DataFusion sees them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics, TableReference, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr_adapter::PhysicalExprAdapterFactory;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::SessionContext;
use object_store::ObjectStore;
use object_store::path::Path;
use tidemill_protocol::job::Format;

use super::adapt::Adapting;
use super::parquet::{self, PARQUET_FOOTER_BYTES};
use super::split::{Split, spread};
use super::{Table, TableFile, TextSource};
use crate::error::Failure;
use crate::quarantine::{FilePart, Rejects, Rules};
use crate::quotes::Cuts;
use crate::store::{PinnedFiles, PinnedStore};

/// The name of a table's own object store: it tells a scan's table from then on.
pub(crate) fn store_url(table: usize) -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(format!("tidemill://table-{table}"))
}

/// The number of the table that [`store_url`] named.
pub(crate) fn table_of_url(url: &ObjectStoreUrl) -> Option<usize> {
    url.as_str().trim_end_matches('/').strip_prefix("tidemill://table-")?.parse().ok()
}

/// Registers every table under its name in the SQL, each with a store of its own files.
pub(crate) fn register(
    context: &SessionContext,
    store: &Arc<dyn ObjectStore>,
    rejects: &Arc<Rejects>,
    tables: &[Table],
    partitions: &[usize],
) -> Result<(), Failure> {
    for (number, (table, partitions)) in tables.iter().zip(partitions).enumerate() {
        let files = Arc::new(table.pinned_files()?);
        register_store(&context.runtime_env(), store, rejects, files, number)?;
        let provider = PinnedTable { table: table.clone(), number, partitions: *partitions };
        let name = TableReference::bare(table.name.as_str());
        context.register_table(name, Arc::new(provider))?;
    }
    Ok(())
}

/// Registers the store of one table's files.
pub(crate) fn register_store(
    runtime: &RuntimeEnv,
    store: &Arc<dyn ObjectStore>,
    rejects: &Arc<Rejects>,
    files: Arc<PinnedFiles>,
    number: usize,
) -> Result<(), Failure> {
    let pinned = Arc::new(PinnedStore::new(store.clone(), number, files, rejects.clone()));
    runtime.register_object_store(store_url(number)?.as_ref(), pinned);
    Ok(())
}

impl Table {
    /// # Errors
    /// A key is no path.
    pub(crate) fn pinned_files(&self) -> Result<PinnedFiles, Failure> {
        let rules = || Rules::new(self.format, &self.csv, self.file_schema(), self.inferred);
        let mut pinned = PinnedFiles::new(self.quarantine.then(rules));
        for file in &self.files {
            let cuts = Cuts { lines: file.lines.clone(), quote: self.csv.quote as u8 };
            let cuts = (!file.lines.is_empty()).then_some(cuts);
            pinned.insert(path(&file.key)?, file, cuts);
        }
        Ok(pinned)
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|e| datafusion::error::DataFusionError::External(e.into()))
}

/// The number of the table that a provider reads.
pub(crate) fn table_number(provider: &dyn TableProvider) -> Option<usize> {
    provider.downcast_ref::<PinnedTable>().map(|t| t.number)
}

#[derive(Debug)]
struct PinnedTable {
    table: Table,
    number: usize,
    /// How many partitions its scan should have.
    partitions: usize,
}

impl PinnedTable {
    fn table_schema(&self) -> TableSchema {
        let columns: Vec<FieldRef> = self
            .table
            .partition_columns
            .iter()
            .map(|c| Arc::new(Field::new(&c.name, c.kind.data_type(), true)))
            .collect();
        TableSchema::builder(self.table.file_schema()).with_table_partition_cols(columns).build()
    }

    fn source(&self, runtime: &RuntimeEnv) -> Result<Arc<dyn FileSource>> {
        let schema = self.table_schema();
        Ok(match self.table.format {
            Format::Parquet => {
                let store = runtime.object_store(store_url(self.number)?)?;
                let footers = runtime.cache_manager.get_file_metadata_cache();
                let files = Arc::new(CachedParquetFileReaderFactory::new(store, footers));
                let source =
                    ParquetSource::new(schema).with_table_parquet_options(parquet::options());
                Arc::new(source.with_parquet_file_reader_factory(files))
            }
            Format::Csv | Format::Json => {
                Arc::new(TextSource::new(&self.table, self.number, schema))
            }
        })
    }

    fn statistics(&self, schema: &Schema) -> Statistics {
        let Some(known) = &self.table.statistics else {
            let rows = Precision::Inexact(self.table.rows());
            return Statistics::new_unknown(schema).with_num_rows(rows);
        };
        let mut statistics = known.statistics.clone();
        // nothing is known of the columns in the keys
        statistics.column_statistics.resize_with(schema.fields().len(), Default::default);
        statistics
    }

    /// The scan of all files of one compression.
    fn scan_files(
        &self,
        runtime: &RuntimeEnv,
        gzip: bool,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let files: Vec<_> =
            (0..self.table.files.len()).filter(|n| self.is_compressed(*n) == gzip).collect();
        if files.is_empty() {
            return Ok(None);
        }
        let groups = spread(&self.table, &files, self.partitions)
            .iter()
            .map(|splits| file_group(&self.table, splits))
            .collect::<Result<Vec<_>>>()?;
        let compression = compression(gzip);
        let config = FileScanConfigBuilder::new(store_url(self.number)?, self.source(runtime)?)
            .with_file_groups(groups)
            .with_statistics(self.statistics(self.table_schema().table_schema()))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_file_compression_type(compression)
            .with_expr_adapter(adapter(&self.table))
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }

    fn is_compressed(&self, file: usize) -> bool {
        self.table.is_read_compressed(self.table.files[file].gzip)
    }
}

/// What makes the columns of files those of their table.
pub(crate) fn adapter(table: &Table) -> Option<Arc<dyn PhysicalExprAdapterFactory>> {
    (table.format == Format::Parquet).then(|| Arc::new(Adapting) as _)
}

pub(crate) fn compression(gzip: bool) -> FileCompressionType {
    if gzip { FileCompressionType::GZIP } else { FileCompressionType::UNCOMPRESSED }
}

/// The splits of one partition as DataFusion reads them.
pub(crate) fn file_group(table: &Table, splits: &[Split]) -> Result<FileGroup> {
    splits
        .iter()
        .map(|split| partitioned_file(table, split))
        .collect::<Result<Vec<_>>>()
        .map(FileGroup::new)
}

fn partitioned_file(table: &Table, split: &Split) -> Result<PartitionedFile> {
    let file: &TableFile = table.files.get(split.file).ok_or_else(|| {
        datafusion::error::DataFusionError::Internal(format!("no file {} in the plan", split.file))
    })?;
    let (from, to) = split.range.unwrap_or((0, file.size));
    let (location, size, range) = if table.quarantine {
        let part = FilePart { key: file.key.clone(), from, to };
        (path(&part.location())?, to - from, None) // its store knows what is in it
    } else {
        (path(&file.key)?, file.size, split.range)
    };
    let meta = object_store::ObjectMeta {
        location,
        last_modified: version_time(&file.etag),
        size,
        e_tag: Some(file.etag.clone()),
        version: None,
    };
    let mut partitioned =
        PartitionedFile::new_from_meta(meta).with_metadata_size_hint(PARQUET_FOOTER_BYTES);
    partitioned.partition_values = table
        .partition_columns
        .iter()
        .zip(&file.values)
        .map(|(column, value)| match value {
            Some(text) => ScalarValue::try_from_string(text.clone(), &column.kind.data_type()),
            None => ScalarValue::try_from(column.kind.data_type()),
        })
        .collect::<Result<_>>()?;
    Ok(match range {
        None => partitioned,
        Some((from, to)) => partitioned.with_range(signed(from), signed(to)),
    })
}

/// A time that stands for a version of a file: DataFusion's cache of footers tells versions apart
/// by time and size.
fn version_time(etag: &str) -> chrono::DateTime<chrono::Utc> {
    let mut hasher = DefaultHasher::new();
    etag.hash(&mut hasher);
    chrono::DateTime::from_timestamp_nanos(signed(hasher.finish() >> 1))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[async_trait]
impl TableProvider for PinnedTable {
    fn schema(&self) -> SchemaRef {
        self.table_schema().table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // a limit may stop a scan early only if no filter comes after it
        let limit = limit.filter(|_| filters.is_empty());
        let runtime = state.runtime_env();
        let plain = self.scan_files(runtime, false, projection, limit)?;
        let gzip = self.scan_files(runtime, true, projection, limit)?;
        match (plain, gzip) {
            (Some(a), Some(b)) => UnionExec::try_new(vec![a, b]),
            (Some(scan), None) | (None, Some(scan)) => Ok(scan),
            (None, None) => {
                let schema = project_schema(&self.schema(), projection)?;
                Ok(Arc::new(EmptyExec::new(schema)))
            }
        }
    }
}

/// Reads all columns of one file that can be read; for finding out what is wrong with it.
pub(crate) fn probe(
    runtime: &RuntimeEnv,
    table: &Table,
    number: usize,
    file: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let provider = PinnedTable { table: table.clone(), number, partitions: 1 };
    let gzip = provider.is_compressed(file);
    let group = file_group(table, &[Split { file, range: None }])?;
    let config = FileScanConfigBuilder::new(store_url(number)?, provider.source(runtime)?)
        .with_file_groups(vec![group])
        .with_projection_indices(Some(table.readable_columns()))?
        .with_file_compression_type(compression(gzip))
        .with_expr_adapter(adapter(table))
        .build();
    Ok(DataSourceExec::from_data_source(config))
}
