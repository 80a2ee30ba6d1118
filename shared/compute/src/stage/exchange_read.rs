use std::fmt;
use std::sync::Arc;

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
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_protocol::StageId;
use tidemill_protocol::record::{InputIndex, Read};

/// How many ranges are fetched ahead of the one that is decoded.
const READ_AHEAD: usize = 4;

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
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) index: InputIndex,
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

impl ExchangeSource {
    /// The batches of some slots of all objects.
    fn slots(
        self: Arc<Self>,
        slots: std::ops::Range<usize>,
    ) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
        let ranges: Vec<_> = self
            .index
            .objects
            .iter()
            .enumerate()
            .flat_map(|(number, object)| {
                let ends = object.footer.offsets.windows(2).enumerate();
                ends.filter(|(slot, w)| slots.contains(slot) && w[0] < w[1])
                    .map(move |(_, w)| (number, w[0]..w[1]))
                    .collect::<Vec<_>>()
            })
            .collect();
        stream::iter(ranges)
            .map(move |(object, range)| {
                let source = self.clone();
                async move { source.fetch(object, range).await }
            })
            .buffered(READ_AHEAD)
            .map_ok(|bytes| stream::iter(Decoder::new(bytes)))
            .try_flatten()
    }

    async fn fetch(&self, object: usize, range: std::ops::Range<u64>) -> Result<bytes::Bytes> {
        let key = &self.index.objects[object].key;
        let path = Path::parse(key).map_err(|e| DataFusionError::External(e.into()))?;
        Ok(self.store.get_range(&path, range).await?)
    }
}

/// The batches of one slot: one Arrow IPC stream.
struct Decoder {
    decoder: StreamDecoder,
    buffer: Buffer,
}

impl Decoder {
    fn new(bytes: bytes::Bytes) -> Self {
        Self { decoder: StreamDecoder::new(), buffer: Buffer::from(bytes) }
    }
}

impl Iterator for Decoder {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.buffer.is_empty() {
            return None;
        }
        match self.decoder.decode(&mut self.buffer) {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => match self.decoder.finish() {
                Ok(()) => None,
                Err(e) => Some(Err(e.into())),
            },
            Err(e) => {
                self.buffer = Buffer::from(Vec::<u8>::new());
                Some(Err(e.into()))
            }
        }
    }
}
