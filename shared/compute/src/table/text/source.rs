//! Files of text as DataFusion scans them.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource, JsonSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{PhysicalExpr, apply_expression_roots};
use datafusion_datasource::boundary_stream::AlignedBoundaryStream;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use tidemill_protocol::job::{CsvOptions, Format};

use super::header::MARK;
use super::sample::is_objects;
use super::{
    CsvDecoder, Decoder, Fields, HEADER_BYTES_MAX, Header, JsonDecoder, Misfit, Problem, places,
};
use crate::quarantine::FilePart;
use crate::table::{Table, title};

/// A file of text cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{key} cannot be read as {}: {problem}", title(*.format))]
pub(crate) struct Unreadable {
    pub(crate) key: String,
    format: Format,
    problem: Problem,
    /// The number of the table, of a value that does not fit it.
    pub(crate) table: Option<usize>,
}

impl Unreadable {
    pub(crate) fn new(key: String, format: Format, problem: Problem) -> Self {
        Self { key, format, problem, table: None }
    }

    /// The value that is too wide for its column.
    pub(crate) fn misfit(&self) -> Option<&Misfit> {
        match &self.problem {
            Problem::Misfit(misfit) => Some(misfit),
            _ => None,
        }
    }

    /// The same, with what a user may do about it.
    pub(crate) fn sentence(&self) -> String {
        let folder = self.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let declare = match &self.problem {
            Problem::File(_) => return self.to_string(),
            Problem::Misfit(Misfit { inferred: false, .. }) => "change its declared type in",
            Problem::Misfit(Misfit { inferred: true, .. }) => "declare a type that holds it in",
            Problem::Line(_) => "declare the columns in",
        };
        format!(
            "{self}; correct the row, {declare} {folder}/_schema.json, or have such rows set aside \
             with the option on_bad_row"
        )
    }
}

/// What a table says of its files.
#[derive(Debug)]
struct About {
    table: usize,
    format: Format,
    csv: CsvOptions,
    inferred: bool,
    quarantine: bool,
}

/// Scans files of CSV or newline-delimited JSON.
#[derive(Debug, Clone)]
pub(crate) struct TextSource {
    about: Arc<About>,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_rows: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    pub(crate) fn new(table: &Table, number: usize, table_schema: TableSchema) -> Self {
        let about = About {
            table: number,
            format: table.format,
            csv: table.csv.clone(),
            inferred: table.inferred,
            quarantine: table.quarantine,
        };
        Self {
            about: Arc::new(about),
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_rows: 8192,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Its schema and projection in a source that can be encoded.
    pub(crate) fn hollow(&self) -> Result<Arc<dyn FileSource>> {
        let hollow = JsonSource::new(self.table_schema.clone());
        let projected = hollow.try_pushdown_projection(&self.projection.source)?;
        projected.ok_or_else(|| internal_datafusion_err!("a projection that cannot be encoded"))
    }

    /// The source of a table in the place of its hollow one.
    pub(crate) fn filled(
        table: &Table,
        number: usize,
        hollow: &dyn FileSource,
    ) -> Result<Arc<dyn FileSource>> {
        let source = Self::new(table, number, hollow.table_schema().clone());
        match hollow.projection() {
            Some(projection) => Ok(Arc::new(source.projected(projection)?)),
            None => Ok(Arc::new(source)),
        }
    }

    fn projected(&self, projection: &ProjectionExprs) -> Result<Self> {
        let projection = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &projection);
        Ok(Self { projection, ..self.clone() })
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let schema = self.table_schema.file_schema();
        let opener = Opener {
            about: self.about.clone(),
            store,
            compression: config.file_compression_type,
            projected: Arc::new(schema.project(&self.projection.file_indices)?),
            schema: schema.clone(),
            columns: self.projection.file_indices.clone(),
            batch_rows: self.batch_rows,
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_rows: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_rows, ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.about.format {
            Format::Csv => "csv",
            _ => "json",
        }
    }

    fn supports_repartitioning(&self) -> bool {
        false // our splits are final
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(Some(Arc::new(self.projected(projection)?)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.source.iter(), f)
    }
}

/// Opens the files of a scan.
#[derive(Clone)]
struct Opener {
    about: Arc<About>,
    store: Arc<dyn ObjectStore>,
    compression: FileCompressionType,
    /// Of all columns in the files.
    schema: SchemaRef,
    /// The columns that are read, by their places.
    columns: Vec<usize>,
    projected: SchemaRef,
    batch_rows: usize,
}

impl FileOpener for Opener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let opener = self.clone();
        Ok(Box::pin(async move { opener.batches(&file).await }))
    }
}

type Pieces = BoxStream<'static, Result<Bytes>>;

impl Opener {
    async fn batches(
        self,
        file: &PartitionedFile,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let location = file.object_meta.location.as_ref();
        let part = FilePart::of_location(location).filter(|_| self.about.quarantine);
        let key = part.map_or_else(|| location.to_owned(), |part| part.key);
        let about = self.about.clone();
        let unreadable = move |problem| {
            let About { table, format, .. } = *about;
            let unreadable = Unreadable { key: key.clone(), format, problem, table: Some(table) };
            DataFusionError::External(Box::new(unreadable))
        };
        let mut pieces = self.pieces(file).await?;
        let is_start = file.range.as_ref().is_none_or(|range| range.start == 0);
        let decoder: Option<Box<dyn Decoder>> = match self.about.format {
            Format::Csv => {
                let fields = self.fields(file, is_start, &mut pieces).await?;
                let fields = fields.map_err(&unreadable)?;
                fields.map(|fields| Box::new(self.csv(&fields)) as _)
            }
            _ => {
                let start = peek(&mut pieces, |b, _| !b.trim_ascii_start().is_empty()).await?;
                let start = without_mark(start, is_start);
                if is_start {
                    is_objects(&start).map_err(|e| unreadable(Problem::File(e)))?;
                }
                put_back(&mut pieces, start);
                let schema = self.projected.clone();
                Some(Box::new(JsonDecoder::new(schema, self.about.inferred, self.batch_rows)?))
            }
        };
        Ok(match decoder {
            Some(decoder) => decoded(pieces, decoder, unreadable),
            None => stream::empty().boxed(),
        })
    }

    /// The bytes of a file, or of a part of it from the start of a line to the end of one.
    async fn pieces(&self, file: &PartitionedFile) -> Result<Pieces> {
        let (location, size) = (&file.object_meta.location, file.object_meta.size);
        let bytes: Pieces = match &file.range {
            None => {
                let found = self.store.get_opts(location, GetOptions::default()).await?;
                found.into_stream().map_err(DataFusionError::from).boxed()
            }
            Some(range) => {
                let at = |n: i64| u64::try_from(n).unwrap_or(0);
                let (from, to) = (at(range.start), at(range.end));
                let (store, location) = (self.store.clone(), location.clone());
                AlignedBoundaryStream::new(store, location, from, to, size, b'\n')
                    .await?
                    .map_err(DataFusionError::from)
                    .boxed()
            }
        };
        self.compression.convert_stream(bytes)
    }

    fn csv(&self, fields: &Fields) -> CsvDecoder {
        let fields = fields.project(&self.columns);
        let (csv, schema) = (&self.about.csv, self.projected.clone());
        CsvDecoder::new(csv, &fields, schema, self.about.inferred, self.batch_rows)
    }

    /// What the fields of a CSV file are; none if it is empty.
    async fn fields(
        &self,
        file: &PartitionedFile,
        is_start: bool,
        pieces: &mut Pieces,
    ) -> Result<Result<Option<Fields>, Problem>> {
        let csv = &self.about.csv;
        if !csv.header {
            if is_start {
                let start = peek(pieces, |bytes, _| bytes.len() >= MARK.len()).await?;
                put_back(pieces, without_mark(start, true));
            }
            return Ok(Ok(Some(Fields::by_place(self.schema.fields().len()))));
        }
        let (start, is_all) = if is_start {
            let has_end = |bytes: &[u8], fresh: bool| {
                fresh && Header::parse(csv, bytes, false).is_some()
                    || bytes.len() as u64 > HEADER_LINE_BYTES_MAX
            };
            let start = peek(pieces, has_end).await?;
            (start, true)
        } else {
            let size = file.object_meta.size;
            let range = 0..size.min(HEADER_BYTES_MAX);
            (self.store.get_range(&file.object_meta.location, range).await?, false)
        };
        let Some(header) = Header::parse(csv, &start, is_all) else {
            let why = "its first line is longer than 64 KiB";
            return Ok(if is_start { Ok(None) } else { Err(Problem::File(why.into())) });
        };
        let after_return = is_start && header.ends_in_return(&start);
        if is_start {
            put_back(pieces, start.slice(header.bytes..));
        }
        let count = header.names.len();
        let found = places(&self.schema, &header.names).map_err(Problem::File);
        Ok(found.map(|places| Some(Fields { count, places, after_return })))
    }
}

/// The most bytes of the first line of a file.
const HEADER_LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Takes pieces until there is enough of them; whoever asks knows whether a line may have ended.
async fn peek(pieces: &mut Pieces, is_enough: impl Fn(&[u8], bool) -> bool) -> Result<Bytes> {
    let mut start = vec![];
    while let Some(piece) = pieces.try_next().await? {
        start.extend_from_slice(&piece);
        if is_enough(&start, piece.contains(&b'\n') || piece.contains(&b'\r')) {
            break;
        }
    }
    Ok(start.into())
}

fn put_back(pieces: &mut Pieces, piece: Bytes) {
    if !piece.is_empty() {
        let rest = std::mem::replace(pieces, stream::empty().boxed());
        *pieces = stream::once(async { Ok(piece) }).chain(rest).boxed();
    }
}

fn without_mark(start: Bytes, is_start: bool) -> Bytes {
    if is_start && start.starts_with(MARK) { start.slice(MARK.len()..) } else { start }
}

/// The batches of what a decoder makes of pieces of bytes.
fn decoded(
    pieces: Pieces,
    decoder: Box<dyn Decoder>,
    unreadable: impl Fn(Problem) -> DataFusionError + Send + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    let state = (pieces, decoder, Some(Bytes::new()), unreadable);
    let batches =
        stream::try_unfold(state, |(mut pieces, mut decoder, piece, unreadable)| async move {
            let Some(mut piece) = piece else { return Ok(None) };
            loop {
                if decoder.is_full()
                    && let Some(batch) = decoder.flush().map_err(&unreadable)?
                {
                    return Ok(Some((batch, (pieces, decoder, Some(piece), unreadable))));
                }
                if piece.is_empty() {
                    let Some(next) = pieces.try_next().await? else { break };
                    piece = next;
                    continue; // it may be empty
                }
                let taken = decoder.take(&piece).map_err(&unreadable)?;
                piece.advance(taken);
            }
            decoder.take(&[]).map_err(&unreadable)?;
            let last = decoder.flush().map_err(&unreadable)?;
            Ok(last.map(|batch| (batch, (pieces, decoder, None, unreadable))))
        });
    batches.boxed()
}
