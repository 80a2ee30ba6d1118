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
use crate::error::{Failure, refused};
use crate::plan::{EnginePlan, Planning};
use crate::planning_thread::on_planning_thread;
use crate::resources::Resources;
use crate::session::{self, Reach};
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
    let resources = &resources.of_task(request.layout.tasks.len());
    let mut way = Way::default();
    loop {
        let failure = match attempt(store, resources, engine_plan, request, way).await {
            Err(failure) if is_sql(engine_plan, request) => failure,
            done => return done,
        };
        if failure.is_cut_in_quotes() && !way.whole_files {
            way.whole_files = true;
        } else if failure.is_out_of_memory() && !way.merge_joins {
            way.merge_joins = true;
        } else {
            return Err(failure);
        }
    }
}

/// How a task plans its SQL; each is tried only when the faster one did not work.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// CSV files are not read in parts.
    whole_files: bool,
    /// Joins sort their inputs and can spill.
    merge_joins: bool,
}

fn is_sql(engine_plan: &EnginePlan, request: &TaskRequest<'_>) -> bool {
    let stage = usize::from(request.layout.stage.0);
    matches!(engine_plan.fragments.get(stage), Some(Fragment::Sql))
}

async fn attempt(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &EnginePlan,
    request: &TaskRequest<'_>,
    way: Way,
) -> Result<TaskOutput, Failure> {
    let (plan, context) = prepare(store, resources, engine_plan, request, way).await?;
    let (Some(stage), Some(range)) =
        (request.plan.stage(request.layout.stage), request.layout.range(request.task))
    else {
        return refused("the task is not in the plan");
    };
    // an SQL fragment is planned for this machine, so its partitions are all the task's
    let range = if is_sql(engine_plan, request) { all_partitions(&plan) } else { range };
    let written = match stage.output {
        Output::Result => write_part(&plan, range, resources, &context).await,
        Output::Exchange { slots } => {
            write_exchange(&plan, range, slots, resources, &context).await
        }
    };
    match written {
        Err(failure) if failure.is_cut_in_quotes() || failure.is_out_of_memory() => Err(failure),
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
    way: Way,
) -> Result<(PlanRef, Arc<TaskContext>), Failure> {
    let (store, resources, engine_plan) = (store.clone(), *resources, engine_plan.clone());
    match engine_plan.fragments.get(usize::from(request.layout.stage.0)).cloned() {
        None => refused("the plan has no fragment for the stage"),
        Some(Fragment::Sql) => {
            on_planning_thread(async move { plan_sql(&store, &resources, engine_plan, way).await })
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
    engine_plan: EnginePlan,
    way: Way,
) -> Result<(PlanRef, Arc<TaskContext>), Failure> {
    let EnginePlan { sql, now, mut tables, .. } = engine_plan;
    if way.whole_files {
        tables.iter_mut().flat_map(|t| &mut t.files).for_each(|f| f.lines.clear());
    }
    let cores = resources.cores;
    let planning = Planning { store, tables: &tables, memory: resources.memory, now };
    let scans = vec![cores; tables.len()];
    let (context, logical) = planning.logical(&sql, Reach::OneTask, cores, &scans).await?;
    let mut state = context.state();
    state.execution_props_mut().query_execution_start_time = Some(now);
    if way.merge_joins {
        state.config_mut().options_mut().optimizer.prefer_hash_join = false;
    }
    let plan = state.query_planner().create_physical_plan(&logical, &state).await?;
    Ok((plan, context.task_ctx()))
}

fn fragment_context(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &EnginePlan,
) -> Result<Arc<TaskContext>, Failure> {
    let runtime = session::runtime(resources.memory)?;
    let state = session::session(runtime, Reach::ManyTasks, resources.cores, engine_plan.now);
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
