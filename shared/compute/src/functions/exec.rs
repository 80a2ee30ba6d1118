//! The operator that calls functions: batches of arguments go to the caller, and what comes back becomes columns.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::compute::{and, filter, is_not_null, take};
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::arrow::ipc::reader::StreamDecoder;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_expr::equivalence::ProjectionMapping;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr,
    PlanProperties,
};
use futures::StreamExt;
use tidemill_protocol::function::{FunctionKind, OnNull};

use super::declared::Callable;
use super::{CallFailed, Callers};
use crate::table::EncodedSchema;

type PlanRef = Arc<dyn ExecutionPlan>;

/// How many batches of a partition are called at once: while one is, the next is read.
const BATCHES_AT_ONCE: usize = 2;

/// How long one call of a batch should take, where a function says what a row takes.
const CALL_TIME: Duration = Duration::from_secs(1);

/// A call, by the places of what it needs among the columns before its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) arguments: Vec<usize>,
    /// A truth value: the call is made where it is true.
    pub(crate) guard: Option<usize>,
    pub(crate) output: FieldRef,
}

/// Its input, and a column more for each call.
#[derive(Debug)]
pub(crate) struct CallExec {
    input: PlanRef,
    calls: Arc<Vec<Call>>,
    properties: Arc<PlanProperties>,
}

impl CallExec {
    pub(crate) fn new(input: PlanRef, calls: Vec<Call>) -> Self {
        let known = input.schema();
        let outputs = calls.iter().map(|call| call.output.clone());
        let fields: Vec<_> = known.fields().iter().cloned().chain(outputs).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, known.metadata().clone()));
        // what is known of its input's columns is known of its own
        let own: Vec<_> = (0..known.fields().len()).collect();
        let kept = ProjectionMapping::from_indices(&own, &known);
        let known = match kept {
            Ok(kept) => input.equivalence_properties().project(&kept, schema),
            Err(_) => EquivalenceProperties::new(schema),
        };
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(known);
        Self { input, calls: Arc::new(calls), properties: Arc::new(properties) }
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }
}

impl DisplayAs for CallExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        let called = self.calls.iter().map(|call| {
            let arguments = call.arguments.iter().map(|n| schema.field(*n).name().as_str());
            format!("{}({})", call.function, arguments.collect::<Vec<_>>().join(", "))
        });
        write!(f, "CallExec: {}", called.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for CallExec {
    fn name(&self) -> &'static str {
        "CallExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&PlanRef> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<PlanRef>) -> Result<PlanRef> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self::new(input, self.calls.to_vec()))),
            None => Ok(self),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let callers = context.session_config().get_extension::<Callers>();
        let callers = callers.ok_or_else(|| internal_datafusion_err!("no functions are known"))?;
        let (schema, calls) = (self.schema(), self.calls.clone());
        let input = self.input.execute(partition, context)?;
        let called = input
            .map(move |batch| {
                let (callers, calls, schema) = (callers.clone(), calls.clone(), schema.clone());
                async move {
                    // on its own: one that waits for its turn must not wait for who reads the stream
                    let batch = batch?;
                    let called = async move { call_all(&callers, &calls, schema, batch).await };
                    SpawnedTask::spawn(called)
                        .join_unwind()
                        .await
                        .map_err(|e| DataFusionError::External(e.into()))?
                }
            })
            .buffered(BATCHES_AT_ONCE);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), called)))
    }
}

/// A batch with the columns of all calls.
async fn call_all(
    callers: &Callers,
    calls: &[Call],
    schema: SchemaRef,
    batch: RecordBatch,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let mut columns = batch.columns().to_vec();
    for call in calls {
        let callable = callers.functions.get(&call.function);
        let callable =
            callable.ok_or_else(|| internal_datafusion_err!("{} is no function", call.function))?;
        let column = call_rows(callers, callable, call, &columns, rows).await?;
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// The column of a call.
async fn call_rows(
    callers: &Callers,
    callable: &Callable,
    call: &Call,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let arguments: Vec<_> = call.arguments.iter().map(|n| columns[*n].clone()).collect();
    let guard = call.guard.map(|n| &columns[n]);
    let Some(wanted) = wanted(callable, &arguments, guard)? else {
        return call_in_slices(callers, callable, &arguments, rows).await;
    };
    let count = wanted.true_count();
    if count == 0 {
        return Ok(new_null_array(callable.return_type(), rows));
    }
    let arguments: Result<Vec<_>, _> = arguments.iter().map(|a| filter(a, &wanted)).collect();
    let made = call_in_slices(callers, callable, &arguments?, count).await?;
    let mut next = 0_u32;
    let places = wanted.values().iter().map(|is_wanted| {
        is_wanted.then(|| {
            next += 1;
            next - 1
        })
    });
    Ok(take(&made, &places.collect::<UInt32Array>(), None)?)
}

/// The rows that a function is called for; nothing, if it is for all of them.
fn wanted(
    callable: &Callable,
    arguments: &[ArrayRef],
    guard: Option<&ArrayRef>,
) -> Result<Option<BooleanArray>> {
    // a null guard is not true
    let mut wanted = match guard {
        Some(guard) => {
            let guard = guard.as_boolean();
            Some(match guard.nulls() {
                Some(nulls) => BooleanArray::new(guard.values() & nulls.inner(), None),
                None => guard.clone(),
            })
        }
        None => None,
    };
    let function = &callable.function;
    if function.on_null == OnNull::Null && function.kind != FunctionKind::Aggregate {
        for argument in arguments.iter().filter(|a| a.logical_null_count() > 0) {
            let known = is_not_null(argument)?;
            wanted = Some(match wanted {
                Some(wanted) => and(&wanted, &known)?,
                None => known,
            });
        }
    }
    Ok(wanted.filter(|wanted| wanted.true_count() < wanted.len()))
}

/// Calls a function; one that says that its rows take long, for so many at once as take a second.
async fn call_in_slices(
    callers: &Callers,
    callable: &Callable,
    arguments: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let at_once = match &callable.function.cost {
        Some(cost) => ((CALL_TIME.as_secs_f64() / cost.seconds) as usize).clamp(1, rows.max(1)),
        None => rows.max(1),
    };
    if at_once >= rows {
        return call_batch(callers, callable, arguments, rows).await;
    }
    let mut made = vec![];
    for from in (0..rows).step_by(at_once) {
        let length = at_once.min(rows - from);
        let slice: Vec<_> = arguments.iter().map(|a| a.slice(from, length)).collect();
        made.push(call_batch(callers, callable, &slice, length).await?);
    }
    let made: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
    Ok(datafusion::arrow::compute::concat(&made)?)
}

async fn call_batch(
    callers: &Callers,
    callable: &Callable,
    arguments: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let Some(caller) = &callers.caller else {
        return internal_err!("no functions are called here");
    };
    let (types, sent) = (types(callable)?, encoded(callable, arguments, rows)?);
    let Callable { name, function, .. } = callable;
    let made = caller.call(&callers.run, name, function, types, sent).await;
    let made = made.map_err(|e| DataFusionError::External(Box::new(CallFailed::from(e))))?;
    decoded(callable, made, rows)
}

fn types(callable: &Callable) -> Result<Bytes> {
    Ok(EncodedSchema::to_bytes(&callable.returns.0)?.into())
}

fn encoded(callable: &Callable, arguments: &[ArrayRef], rows: usize) -> Result<Bytes> {
    let declared = callable.args.as_ref().map(|args| args.0.fields());
    let name = |n: usize| declared.map_or_else(|| format!("a{n}"), |d| d[n].name().clone());
    let fields = arguments.iter().enumerate();
    let fields: Vec<_> =
        fields.map(|(n, a)| Field::new(name(n), a.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arguments.to_vec(), &options)?;
    let mut writer =
        StreamWriter::try_new(Vec::with_capacity(batch.get_array_memory_size()), &schema)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

/// The column of an answer, without a copy of it.
fn decoded(callable: &Callable, made: Bytes, rows: usize) -> Result<ArrayRef> {
    let mut decoder = StreamDecoder::new();
    let mut left = Buffer::from(made);
    while !left.is_empty() {
        let Some(batch) = decoder.decode(&mut left)? else { continue };
        let [column] = batch.columns() else { break };
        if column.data_type() == callable.return_type() && column.len() == rows {
            return Ok(column.clone());
        }
        break;
    }
    internal_err!("what {} gave is not what was asked for", callable.name)
}
