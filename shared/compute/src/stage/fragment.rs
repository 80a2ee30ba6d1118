//! Fragments as the plan stores them.
//!
//! A fragment carries no file lists: each scan keeps a placeholder, and its splits stand beside it. What the encoding loses (the
//! compression of text files and how they are read, ETags) comes back from the pinned table.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::{Deserialize, Serialize};
use tidemill_protocol::StageId;
use tidemill_protocol::job::Format;
use tidemill_protocol::record::{Read, TaskSlice};

use super::{ExchangeReadExec, ExchangeSource, row_inputs};
use crate::corrections::ForgetConstants;
use crate::functions::{Call, CallExec};
use crate::quarantine::FilePart;
use crate::table::{
    EncodedSchema, Split, Table, TextSource, adapter, compression, file_group, table_of_url,
};

type PlanRef = Arc<dyn ExecutionPlan>;

/// Each level of a plan or an expression takes about 20 bytes of it.
const SHALLOW_BYTES: usize = 4096;

/// What a stage's tasks run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fragment {
    /// The whole SQL text, planned again over the pinned tables.
    Sql,
    /// A part of the physical plan.
    Plan {
        /// A `datafusion-proto` plan, in base64.
        plan: String,
        scans: Vec<Scan>,
    },
}

/// The splits of one scan of a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scan {
    /// The table's number in the plan.
    table: usize,
    gzip: bool,
    partitions: Vec<Vec<Split>>,
}

/// Encodes a fragment, and decodes and encodes it again to see that it survives.
pub(crate) fn encode(plan: &PlanRef, tables: &[Table], context: &TaskContext) -> Result<Fragment> {
    let mut scans = vec![];
    let numbers: Vec<_> = tables.iter().map(file_numbers).collect();
    let hollow = |node| hollow_scan(node, tables, &numbers, &mut scans);
    let hollow = plan.clone().transform_up(hollow).data()?;
    check_types(&hollow)?;
    check_limits(&hollow)?;
    let bytes = physical_plan_to_bytes_with_extension_codec(hollow, &Codec)?;
    let back = physical_plan_from_bytes_with_extension_codec(&bytes, context, &Codec)?;
    check_windows(&back)?;
    let again = physical_plan_to_bytes_with_extension_codec(back, &Codec)?;
    if bytes != again {
        return internal_err!("the fragment changes when it is decoded and encoded again");
    }
    Ok(Fragment::Plan { plan: STANDARD.encode(&bytes), scans })
}

/// A window may rely on a column being the same in all of its rows, by a filter or by what files say
/// of it; a reader of an exchange does not know.
fn check_windows(plan: &PlanRef) -> Result<()> {
    plan.apply(|node| {
        let bounded = node.downcast_ref::<BoundedWindowAggExec>();
        let bounded = bounded.filter(|w| w.input_order_mode == InputOrderMode::Sorted);
        let windows = match (bounded, node.downcast_ref::<WindowAggExec>()) {
            (Some(window), _) => window.window_expr(),
            (_, Some(window)) => window.window_expr(),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        let (by, input) = (windows[0].partition_by(), node.children()[0]);
        let (_, ordered) = input.equivalence_properties().find_longest_permutation(by)?;
        if ordered.len() < by.len() {
            return internal_err!("a window relies on a column being the same in all rows");
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// A limit of more than 32 bits comes back with its lower ones.
fn check_limits(plan: &PlanRef) -> Result<()> {
    plan.apply(|node| {
        let skip = node.downcast_ref::<GlobalLimitExec>().map(GlobalLimitExec::skip);
        match node.fetch().into_iter().chain(skip).find(|n| u32::try_from(*n).is_err()) {
            Some(limit) => internal_err!("the limit {limit} is too large"),
            None => Ok(TreeNodeRecursion::Continue),
        }
    })?;
    Ok(())
}

/// A literal of 16 bits comes back with 32.
fn check_types(plan: &PlanRef) -> Result<()> {
    plan.apply(|node| {
        match node.schema().fields().iter().find(|f| has_half_float(f.data_type())) {
            Some(field) => internal_err!("column {} is a Float16", field.name()),
            None => Ok(TreeNodeRecursion::Continue),
        }
    })?;
    Ok(())
}

fn has_half_float(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16 => true,
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            has_half_float(f.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|f| has_half_float(f.data_type())),
        _ => false,
    }
}

/// Takes the files out of a scan.
fn hollow_scan(
    node: PlanRef,
    tables: &[Table],
    numbers: &[HashMap<&str, usize>],
    scans: &mut Vec<Scan>,
) -> Result<Transformed<PlanRef>> {
    let Some(source) = node.downcast_ref::<DataSourceExec>() else {
        return Ok(Transformed::no(node));
    };
    let Some(config) = source.data_source().downcast_ref::<FileScanConfig>() else {
        return match source.data_source().downcast_ref::<MemorySourceConfig>() {
            Some(_) => Ok(Transformed::no(node)),
            None => internal_err!("a scan of an unknown kind"),
        };
    };
    let Some((number, table)) =
        table_of_url(&config.object_store_url).and_then(|n| Some((n, tables.get(n)?)))
    else {
        return internal_err!("a scan of an unknown table");
    };
    let partitions = config
        .file_groups
        .iter()
        .map(|group| {
            let split = |file| split(table, &numbers[number], file);
            group.iter().map(split).collect::<Result<Vec<_>>>()
        })
        .collect::<Result<Vec<_>>>()?;
    let gzip = partitions.iter().flatten().any(|s| table.files[s.file].gzip);
    let placeholder = FileGroup::new(vec![PartitionedFile::new(scans.len().to_string(), 0)]);
    scans.push(Scan { table: number, gzip, partitions });
    let mut hollow =
        FileScanConfigBuilder::from(config.clone()).with_file_groups(vec![placeholder]);
    if let Some(text) = config.file_source().downcast_ref::<TextSource>() {
        hollow = hollow.with_source(text.hollow()?);
    }
    Ok(Transformed::yes(DataSourceExec::from_data_source(hollow.build())))
}

/// The files of a table by their keys.
fn file_numbers(table: &Table) -> HashMap<&str, usize> {
    table.files.iter().enumerate().map(|(number, file)| (file.key.as_str(), number)).collect()
}

fn split(table: &Table, numbers: &HashMap<&str, usize>, file: &PartitionedFile) -> Result<Split> {
    let location = file.object_meta.location.as_ref();
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let range = file.range.as_ref().map(|r| (unsigned(r.start), unsigned(r.end)));
    let (key, range) = match FilePart::of_location(location).filter(|_| table.quarantine) {
        Some(FilePart { key, from, to }) => (key, Some((from, to))),
        None => (location.to_owned(), range),
    };
    let number = numbers.get(key.as_str());
    let file = *number.ok_or_else(|| internal_datafusion_err!("{key} is not pinned"))?;
    Ok(Split { file, range })
}

impl Fragment {
    /// Whether it is so short that decoding it recurses a few hundred times at most: any thread has
    /// the stack for that.
    pub(crate) fn is_shallow(&self) -> bool {
        matches!(self, Self::Plan { plan, .. } if plan.len() <= SHALLOW_BYTES)
    }

    fn scans(&self) -> &[Scan] {
        match self {
            Self::Sql => &[],
            Self::Plan { scans, .. } => scans,
        }
    }

    /// The numbers of the tables that it scans.
    pub(crate) fn tables(&self) -> impl Iterator<Item = usize> {
        self.scans().iter().map(|scan| scan.table)
    }

    /// Stored bytes of the splits of its scans.
    pub(crate) fn scan_bytes(&self, tables: &[Table]) -> u64 {
        let bytes = |table: &Table, split: &Split| match split.range {
            Some((from, to)) => to - from,
            None => table.files[split.file].size,
        };
        let scan = |scan: &Scan| -> u64 {
            scan.partitions.iter().flatten().map(|s| bytes(&tables[scan.table], s)).sum()
        };
        self.scans().iter().map(scan).sum()
    }
}

/// What a task runs of a plan.
pub(crate) struct Part {
    pub(crate) plan: PlanRef,
    /// Those of the plan.
    pub(crate) partitions: Range<usize>,
    /// What its partition 0 is in the stage.
    pub(crate) first: usize,
}

impl Part {
    /// All of a plan.
    pub(crate) fn whole(plan: PlanRef) -> Self {
        let partitions = 0..plan.output_partitioning().partition_count();
        Self { plan, partitions, first: 0 }
    }
}

/// Decodes a fragment and gives its leaves what a task reads.
pub(crate) fn decode(
    plan: &str,
    scans: &[Scan],
    tables: &[Table],
    sources: &[Arc<ExchangeSource>],
    slice: TaskSlice,
    context: &TaskContext,
) -> Result<Part> {
    let bytes = STANDARD
        .decode(plan)
        .map_err(|e| internal_datafusion_err!("the fragment is not base64: {e}"))?;
    let hollow = physical_plan_from_bytes_with_extension_codec(&bytes, context, &Codec)?;
    let TaskSlice { from, to, .. } = slice;
    // of thousands of partitions, a task makes its own only
    let only = is_chain_of_scan(&hollow).then_some(from as usize..to as usize);
    let plan = hollow
        .transform_up(|node| fill_leaf(node, scans, tables, sources, only.as_ref()))
        .data()?;
    Ok(match only {
        Some(own) => Part { plan, partitions: 0..own.len(), first: own.start },
        None => Part { plan, partitions: from as usize..to as usize, first: 0 },
    })
}

/// Whether the partitions of a plan are those of its only scan.
fn is_chain_of_scan(plan: &PlanRef) -> bool {
    let reads_files = |source: &DataSourceExec| source.data_source().is::<FileScanConfig>();
    match row_inputs(plan)[..] {
        [] => plan.downcast_ref().is_some_and(reads_files),
        [child] => is_chain_of_scan(child),
        _ => false,
    }
}

fn fill_leaf(
    node: PlanRef,
    scans: &[Scan],
    tables: &[Table],
    sources: &[Arc<ExchangeSource>],
    only: Option<&Range<usize>>,
) -> Result<Transformed<PlanRef>> {
    if let Some(read) = node.downcast_ref::<ExchangeReadExec>() {
        let source = sources.iter().find(|s| s.stage() == read.stage());
        let source =
            source.ok_or_else(|| internal_datafusion_err!("no input of stage {}", read.stage()))?;
        return Ok(Transformed::yes(Arc::new(read.with_source(source.clone()))));
    }
    let Some(source) = node.downcast_ref::<DataSourceExec>() else {
        return Ok(Transformed::no(node));
    };
    let Some(config) = source.data_source().downcast_ref::<FileScanConfig>() else {
        return Ok(Transformed::no(node));
    };
    let scan = placeholder_number(config).and_then(|n| scans.get(n));
    let Some((scan, table)) = scan.and_then(|s| Some((s, tables.get(s.table)?))) else {
        return internal_err!("a scan of the fragment has no splits");
    };
    let partitions = match only {
        Some(own) => scan.partitions.get(own.clone()),
        None => Some(&scan.partitions[..]),
    };
    let partitions = partitions.ok_or_else(|| internal_datafusion_err!("a scan is too short"))?;
    let groups = partitions.iter().map(|p| file_group(table, p)).collect::<Result<Vec<_>>>()?;
    let mut full = FileScanConfigBuilder::from(config.clone())
        .with_file_groups(groups)
        .with_file_compression_type(compression(table.is_read_compressed(scan.gzip)))
        .with_expr_adapter(adapter(table));
    if table.format != Format::Parquet {
        full = full.with_source(TextSource::filled(table, scan.table, &**config.file_source())?);
    }
    Ok(Transformed::yes(DataSourceExec::from_data_source(full.build())))
}

fn placeholder_number(config: &FileScanConfig) -> Option<usize> {
    let file = config.file_groups.first()?.iter().next()?;
    file.object_meta.location.as_ref().parse().ok()
}

/// Encodes our own node; DataFusion's encode themselves.
#[derive(Debug)]
struct Codec;

/// The nodes that are ours.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EncodedNode {
    ExchangeRead { stage: StageId, read: Read, partitions: usize, schema: EncodedSchema },
    ForgetConstants,
    Call { calls: Vec<EncodedCall>, outputs: EncodedSchema },
}

/// A call of [`CallExec`]; its output is a field of the schema of them.
#[derive(Serialize, Deserialize)]
struct EncodedCall {
    function: String,
    arguments: Vec<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard: Option<usize>,
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[PlanRef],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<PlanRef> {
        let node = serde_json::from_slice(bytes)
            .map_err(|e| internal_datafusion_err!("no node of a fragment: {e}"))?;
        match (node, inputs) {
            (EncodedNode::ExchangeRead { stage, read, partitions, schema }, _) => {
                Ok(Arc::new(ExchangeReadExec::new(stage, read, partitions, schema.0)))
            }
            (EncodedNode::ForgetConstants, [input]) => {
                Ok(Arc::new(ForgetConstants::new(input.clone())))
            }
            (EncodedNode::Call { calls, outputs }, [input]) => {
                let outputs = outputs.0.fields().iter().cloned();
                let calls = calls.into_iter().zip(outputs).map(|(call, output)| {
                    let EncodedCall { function, arguments, guard } = call;
                    Call { function, arguments, guard, output }
                });
                Ok(Arc::new(CallExec::new(input.clone(), calls.collect())))
            }
            (EncodedNode::ForgetConstants | EncodedNode::Call { .. }, _) => {
                internal_err!("a node has no input")
            }
        }
    }

    fn try_encode(
        &self,
        node: PlanRef,
        bytes: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let encoded = if let Some(read) = node.downcast_ref::<ExchangeReadExec>() {
            EncodedNode::ExchangeRead {
                stage: read.stage(),
                read: read.read(),
                partitions: read.partitions(),
                schema: EncodedSchema(read.schema()),
            }
        } else if node.is::<ForgetConstants>() {
            EncodedNode::ForgetConstants
        } else if let Some(node) = node.downcast_ref::<CallExec>() {
            let outputs: Vec<_> = node.calls().iter().map(|c| c.output.clone()).collect();
            let calls = node.calls().iter().cloned().map(|call| {
                let Call { function, arguments, guard, .. } = call;
                EncodedCall { function, arguments, guard }
            });
            EncodedNode::Call { calls: calls.collect(), outputs: Schema::new(outputs).into() }
        } else {
            return internal_err!("{} cannot be encoded", node.name());
        };
        serde_json::to_writer(bytes, &encoded)
            .map_err(|e| internal_datafusion_err!("a node cannot be encoded: {e}"))
    }
}
