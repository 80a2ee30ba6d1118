use std::fs::File;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use tidemill_protocol::bucket::Body;
use tidemill_protocol::record::{Output, PartitionRange};
use tidemill_protocol::{TaskOutput, TaskRequest};

use super::diagnose;
use super::exchange_write::{ExchangeWriter, Spreading};
use super::part_write::PartWriter;
use crate::engine::Resources;
use crate::error::{Failure, refused};
use crate::plan::{EnginePlan, logical};
use crate::planning_thread::on_planning_thread;
use crate::session;
use crate::stage::{ExchangeSource, Fragment, decode};
use crate::table;

type PlanRef = Arc<dyn ExecutionPlan>;

/// Runs the partitions of one task and spools what they make.
pub(crate) async fn execute(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &EnginePlan,
    request: &TaskRequest<'_>,
) -> Result<TaskOutput, Failure> {
    let (plan, context) = prepare(store, resources, engine_plan, request).await?;
    let (Some(stage), Some(range)) =
        (request.plan.stage(request.layout.stage), request.layout.range(request.task))
    else {
        return refused("the task is not in the plan");
    };
    // an SQL fragment is planned for this machine, so its partitions are all the task's
    let range = match engine_plan.fragments.get(usize::from(stage.id.0)) {
        Some(Fragment::Sql) => all_partitions(&plan),
        _ => range,
    };
    let written = match stage.output {
        Output::Result => write_part(&plan, range, resources, &context).await,
        Output::Exchange { slots } => {
            write_exchange(&plan, range, slots, resources, &context).await
        }
    };
    match written {
        Err(Failure::DataFusion(e)) => {
            Err(diagnose::name_the_file(engine_plan, &context, *e).await)
        }
        written => written,
    }
}

/// Decodes the task's fragment, or plans its SQL.
async fn prepare(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &EnginePlan,
    request: &TaskRequest<'_>,
) -> Result<(PlanRef, Arc<TaskContext>), Failure> {
    let (store, resources, engine_plan) = (store.clone(), *resources, engine_plan.clone());
    match engine_plan.fragments.get(usize::from(request.layout.stage.0)).cloned() {
        None => refused("the plan has no fragment for the stage"),
        Some(Fragment::Sql) => {
            on_planning_thread(async move { plan_sql(&store, &resources, &engine_plan).await })
                .await
        }
        Some(Fragment::Plan { plan, scans }) => {
            let inputs = request.layout.inputs.clone();
            on_planning_thread(async move {
                let context = fragment_context(&store, &resources, &engine_plan)?;
                let source = |index| Arc::new(ExchangeSource { store: store.clone(), index });
                let sources: Vec<_> = inputs.into_iter().map(source).collect();
                let plan = decode(&plan, &scans, &engine_plan.tables, &sources, &context)?;
                Ok((plan, context))
            })
            .await
        }
    }
}

async fn plan_sql(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &EnginePlan,
) -> Result<(PlanRef, Arc<TaskContext>), Failure> {
    let EnginePlan { sql, now, tables, .. } = engine_plan;
    let cores = resources.cores;
    let scans = vec![cores; tables.len()];
    let (context, logical) =
        logical(store, tables, resources.memory, cores, &scans, sql, *now).await?;
    let mut state = context.state();
    state.execution_props_mut().query_execution_start_time = Some(*now);
    let plan = state.query_planner().create_physical_plan(&logical, &state).await?;
    Ok((plan, context.task_ctx()))
}

fn fragment_context(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &EnginePlan,
) -> Result<Arc<TaskContext>, Failure> {
    let runtime = session::runtime(resources.memory)?;
    let state = session::session(runtime, resources.cores, engine_plan.now);
    let context = SessionContext::new_with_state(state);
    for (number, table) in engine_plan.tables.iter().enumerate() {
        table::register_store(&context, store, table, number)?;
    }
    Ok(context.task_ctx())
}

fn all_partitions(plan: &PlanRef) -> PartitionRange {
    let count = plan.output_partitioning().partition_count();
    PartitionRange { from: 0, to: u32::try_from(count).unwrap_or(u32::MAX) }
}

/// The batches of all partitions of a range, each with its partition; as many partitions at once
/// as there are cores.
fn run(
    plan: &PlanRef,
    range: PartitionRange,
    resources: &Resources,
    context: &Arc<TaskContext>,
) -> impl Stream<Item = Result<(usize, RecordBatch), Failure>> + use<> {
    let (plan, context) = (plan.clone(), context.clone());
    let partitions = range.from as usize..range.to as usize;
    let streams = stream::iter(partitions).map(move |partition| {
        let batches = plan.execute(partition, context.clone());
        stream::once(async move { batches })
            .try_flatten()
            .map(move |batch| Ok((partition, batch?)))
            .boxed()
    });
    // each partition runs on a thread of its own
    streams.map(on_own_task).flatten_unordered(resources.cores.max(1))
}

/// Drives a stream from a task of its own, a few batches ahead of its reader.
fn on_own_task<T: Send + 'static>(
    mut inner: stream::BoxStream<'static, T>,
) -> stream::BoxStream<'static, T> {
    stream::once(async move {
        let (sender, receiver) = tokio::sync::mpsc::channel(2);
        let mut set = tokio::task::JoinSet::new();
        set.spawn(async move {
            while let Some(item) = inner.next().await {
                if sender.send(item).await.is_err() {
                    return; // the reader is gone
                }
            }
        });
        // the set goes with the stream, and its task with the set
        stream::unfold((receiver, set), |(mut receiver, mut set)| async move {
            match receiver.recv().await {
                Some(item) => Some((item, (receiver, set))),
                None => match set.join_next().await {
                    Some(Err(e)) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
                    _ => None,
                },
            }
        })
    })
    .flatten()
    .boxed()
}

async fn write_part(
    plan: &PlanRef,
    range: PartitionRange,
    resources: &Resources,
    context: &Arc<TaskContext>,
) -> Result<TaskOutput, Failure> {
    let mut writer = PartWriter::new(&plan.schema())?;
    let mut batches = std::pin::pin!(run(plan, range, resources, context));
    while let Some((_, batch)) = batches.try_next().await? {
        writer.write(&batch)?;
    }
    let (file, rows, bytes) = writer.finish()?;
    Ok(TaskOutput { body: Body::File(file), rows, bytes })
}

async fn write_exchange(
    plan: &PlanRef,
    range: PartitionRange,
    slots: u32,
    resources: &Resources,
    context: &Arc<TaskContext>,
) -> Result<TaskOutput, Failure> {
    let (plan, spreading) = spreading(plan, slots)?;
    let mut writer = ExchangeWriter::new(&plan.schema(), slots as usize, spreading)?;
    let mut batches = std::pin::pin!(run(&plan, range, resources, context));
    while let Some((partition, batch)) = batches.try_next().await? {
        writer.write(partition, batch)?;
    }
    let (file, rows, bytes): (File, u64, u64) = writer.finish()?;
    Ok(TaskOutput { body: Body::File(file), rows, bytes })
}

/// A repartition on top of a fragment says how rows are spread over the slots.
fn spreading(plan: &PlanRef, slots: u32) -> Result<(PlanRef, Spreading), Failure> {
    if let Some(repartition) = plan.downcast_ref::<RepartitionExec>()
        && let Partitioning::Hash(expressions, _) = repartition.partitioning()
    {
        let input = repartition.input().clone();
        return Ok((input, Spreading::hash(expressions.clone(), slots as usize)?));
    }
    let spreading = if slots == 1 { Spreading::Gather } else { Spreading::ByPartition };
    Ok((plan.clone(), spreading))
}
