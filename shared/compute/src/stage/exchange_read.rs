use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamDecoder;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_protocol::StageId;
use tidemill_protocol::record::{InputIndex, Read, TaskSlice};
use tokio::sync::OnceCell;

use crate::columns::{map_columns, own};

/// How many pieces are fetched ahead of the one that is decoded.
const READ_AHEAD_PIECES: usize = 4;

/// Where so many slots are read at once, there are requests enough without reading ahead.
const READ_AHEAD_SLOTS_MAX: usize = 16;

/// The least and the most bytes of one request.
const PIECE_BYTES: Range<u64> = 128 * 1024..8 * 1024 * 1024;

/// Pieces that wait to be decoded may take this part of the memory.
const PIECES_MEMORY_DIVISOR: usize = 16;

/// The most bytes of neighbouring slots that are fetched together.
const WINDOW_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads what another stage wrote. In a plan it is a placeholder; a task gives it a source.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeReadExec {
    stage: StageId,
    read: Read,
    source: Option<Arc<ExchangeSource>>,
    properties: Arc<PlanProperties>,
}

/// Where the objects of an exchange are.
#[derive(Debug)]
pub(crate) struct ExchangeSource {
    store: Arc<dyn ObjectStore>,
    index: InputIndex,
    slice: TaskSlice,
    /// Pieces that are fetched before they are needed.
    ahead: usize,
    /// Bytes.
    piece: u64,
    /// By object: the slots of the task, where they are fetched together.
    windows: Vec<OnceCell<Bytes>>,
}

impl ExchangeReadExec {
    pub(crate) fn new(stage: StageId, read: Read, partitions: usize, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self { stage, read, source: None, properties: Arc::new(properties) }
    }

    pub(crate) fn stage(&self) -> StageId {
        self.stage
    }

    pub(crate) fn read(&self) -> Read {
        self.read
    }

    pub(crate) fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    pub(crate) fn with_source(&self, source: Arc<ExchangeSource>) -> Self {
        Self { source: Some(source), ..self.clone() }
    }
}

impl DisplayAs for ExchangeReadExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, read, .. } = self;
        write!(
            f,
            "ExchangeReadExec: stage={stage}, read={read:?}, partitions={}",
            self.partitions()
        )
    }
}

impl ExecutionPlan for ExchangeReadExec {
    fn name(&self) -> &'static str {
        "ExchangeReadExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(source) = self.source.clone() else {
            return internal_err!("the exchange of stage {} has no source", self.stage);
        };
        let batches = match self.read {
            Read::Slot => source.slots(partition..partition + 1).boxed(),
            Read::All => source.slots(0..usize::MAX).boxed(),
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// A part of a slot that is fetched by one request.
struct Piece {
    object: usize,
    range: Range<u64>,
    /// It is the last of its slot.
    is_last: bool,
}

impl ExchangeSource {
    /// A source for one task, whose operators read `readers` slots at once.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        index: InputIndex,
        slice: TaskSlice,
        readers: usize,
        memory: usize,
    ) -> Self {
        let ahead = if readers > READ_AHEAD_SLOTS_MAX { 1 } else { READ_AHEAD_PIECES };
        let share = memory / PIECES_MEMORY_DIVISOR / readers.max(1) / ahead;
        let piece = PIECE_BYTES.start.max(share as u64).min(PIECE_BYTES.end);
        let windows = index.objects.iter().map(|_| OnceCell::new()).collect();
        Self { store, index, slice, ahead, piece, windows }
    }

    pub(crate) fn stage(&self) -> StageId {
        self.index.stage
    }

    /// The batches of some slots of all objects.
    fn slots(
        self: Arc<Self>,
        slots: Range<usize>,
    ) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
        let pieces = self.pieces(&slots);
        let ahead = self.ahead;
        let fetched = stream::iter(pieces)
            .map(move |piece| {
                let source = self.clone();
                async move { Ok((source.fetch(&piece).await?, piece.is_last)) }
            })
            .buffered(ahead);
        decode(fetched.boxed())
    }

    fn pieces(&self, slots: &Range<usize>) -> Vec<Piece> {
        let mut pieces = vec![];
        for (object, found) in self.index.objects.iter().enumerate() {
            for (slot, ends) in found.footer.offsets.windows(2).enumerate() {
                if !slots.contains(&slot) {
                    continue;
                }
                let starts = (ends[0]..ends[1]).step_by(usize::try_from(self.piece).unwrap_or(1));
                pieces.extend(starts.map(|from| {
                    let to = (from + self.piece).min(ends[1]);
                    Piece { object, range: from..to, is_last: to == ends[1] }
                }));
            }
        }
        pieces
    }

    async fn fetch(&self, piece: &Piece) -> Result<Bytes> {
        let Some(window) = self.window(piece) else {
            return self.get(piece.object, piece.range.clone()).await;
        };
        let get = || self.get(piece.object, window.clone());
        let bytes = self.windows[piece.object].get_or_try_init(get).await?;
        let place = |at: u64| usize::try_from(at - window.start).unwrap_or(usize::MAX);
        Ok(bytes.slice(place(piece.range.start)..place(piece.range.end)))
    }

    /// Neighbouring slots of one object that belong to one task are fetched together, if they are
    /// small.
    fn window(&self, piece: &Piece) -> Option<Range<u64>> {
        let TaskSlice { from, to, .. } = self.slice;
        let offsets = &self.index.objects[piece.object].footer.offsets;
        let (start, end) = (*offsets.get(from as usize)?, *offsets.get(to as usize)?);
        let holds = start <= piece.range.start && piece.range.end <= end;
        (to - from > 1 && holds && end - start <= WINDOW_BYTES_MAX).then_some(start..end)
    }

    async fn get(&self, object: usize, range: Range<u64>) -> Result<Bytes> {
        let key = &self.index.objects[object].key;
        let path = Path::parse(key).map_err(|e| DataFusionError::External(e.into()))?;
        Ok(self.store.get_range(&path, range).await?)
    }
}

/// What is left of a slot, and of those that follow.
struct Decoding {
    pieces: BoxStream<'static, Result<(Bytes, bool)>>,
    decoder: StreamDecoder,
    buffer: Buffer,
    /// The buffer holds the end of a slot.
    is_last: bool,
}

/// The batches of slots that come piece by piece; each slot is an Arrow IPC stream.
fn decode(
    pieces: BoxStream<'static, Result<(Bytes, bool)>>,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    let buffer = Buffer::from(Vec::<u8>::new());
    let start = Decoding { pieces, decoder: StreamDecoder::new(), buffer, is_last: false };
    stream::try_unfold(start, |mut at| async move {
        loop {
            if !at.buffer.is_empty() {
                if let Some(batch) = at.decoder.decode(&mut at.buffer)? {
                    let batch = map_columns(&batch, batch.schema_ref(), |column, _| own(column))?;
                    return Ok(Some((batch, at)));
                }
                continue;
            }
            if at.is_last {
                at.decoder.finish()?;
                (at.decoder, at.is_last) = (StreamDecoder::new(), false);
            }
            match at.pieces.try_next().await? {
                None => return Ok(None),
                Some((bytes, is_last)) => (at.buffer, at.is_last) = (Buffer::from(bytes), is_last),
            }
        }
    })
}
