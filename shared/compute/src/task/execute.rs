use std::borrow::Cow;
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
use tidemill_protocol::record::{InputIndex, Layout, Output, PartitionRange, Plan};
use tidemill_protocol::{TaskId, TaskOutput, TaskRequest};

use super::diagnose;
use super::exchange_write::{ExchangeWriter, Spreading};
use crate::error::{Failure, refused};
use crate::meter::{Meter, MeteredStore};
use crate::nth_value;
use crate::plan::{EnginePlan, Planning};
use crate::planning_thread::on_planning_thread;
use crate::resources::Resources;
use crate::session::{self, Reach, Room};
use crate::stage::{ExchangeSource, Fragment, decode, make_spillable};
use crate::table;
use crate::volatile;
use crate::write::TableWriter;

type PlanRef = Arc<dyn ExecutionPlan>;

/// The files that a task writes hold at most this part of its memory before they are written out.
const WRITER_SHARE: usize = 8;

/// Runs the partitions of one task and spools what they make.
pub(crate) async fn execute(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    engine_plan: &Arc<EnginePlan>,
    request: &TaskRequest<'_>,
) -> Result<TaskOutput, Failure> {
    let resources = resources.of_task(request.layout.tasks.len());
    let mut way = Way::default();
    loop {
        let cores = if way.room == Room::Narrow { 1 } else { resources.cores };
        let resources = Resources { cores, ..resources };
        let task = Task::new(store, &resources, engine_plan, request);
        let failure = match task.attempt(way).await {
            Err(failure) => failure,
            done => return done,
        };
        if failure.is_cut_in_quotes() && task.is_sql() && !way.whole_files {
            way.whole_files = true;
        } else if failure.is_out_of_memory() && !way.spills {
            way.spills = true;
        } else if failure.is_out_of_memory() && way.room == Room::Wide {
            way.room = Room::Narrow;
        } else {
            return Err(failure);
        }
    }
}

/// How a task runs; each is tried only when the faster one did not work.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// CSV files are not read in parts.
    whole_files: bool,
    /// Joins and sorts can spill.
    spills: bool,
    /// With little room one partition runs at a time.
    room: Room,
}

/// One try of a task.
struct Task<'a> {
    /// Counted by the meter.
    store: Arc<dyn ObjectStore>,
    meter: Arc<Meter>,
    resources: &'a Resources,
    engine_plan: &'a Arc<EnginePlan>,
    request: &'a TaskRequest<'a>,
}

impl<'a> Task<'a> {
    fn new(
        store: &Arc<dyn ObjectStore>,
        resources: &'a Resources,
        engine_plan: &'a Arc<EnginePlan>,
        request: &'a TaskRequest<'a>,
    ) -> Self {
        let meter = Arc::new(Meter::default());
        let store = Arc::new(MeteredStore::new(store.clone(), meter.clone()));
        Self { store, meter, resources, engine_plan, request }
    }

    fn fragment(&self) -> Option<&Fragment> {
        self.engine_plan.fragments.get(usize::from(self.request.layout.stage.0))
    }

    fn is_sql(&self) -> bool {
        matches!(self.fragment(), Some(Fragment::Sql))
    }

    async fn attempt(&self, way: Way) -> Result<TaskOutput, Failure> {
        let (plan, context) = self.prepare(way).await?;
        let TaskRequest { plan: whole, layout, task } = *self.request;
        let (Some(stage), Some(range)) = (whole.stage(layout.stage), layout.range(task)) else {
            return refused("the task is not in the plan");
        };
        // an SQL fragment is planned for this machine, so its partitions are all the task's
        let range = if self.is_sql() { all_partitions(&plan) } else { range };
        let written = match stage.output {
            Output::Result => self.write_rows(&plan, range, &context).await,
            Output::Exchange { slots } => self.write_exchange(&plan, range, slots, &context).await,
        };
        match written {
            Err(failure) if failure.is_cut_in_quotes() || failure.is_out_of_memory() => {
                Err(failure)
            }
            Err(Failure::DataFusion(e)) => {
                Err(diagnose::name_the_file(self.engine_plan, &context, *e).await)
            }
            written => written,
        }
    }

    /// Decodes the task's fragment, or plans its SQL.
    async fn prepare(&self, way: Way) -> Result<(PlanRef, Arc<TaskContext>), Failure> {
        let (store, meter) = (self.store.clone(), self.meter.clone());
        let (resources, engine_plan) = (*self.resources, self.engine_plan.clone());
        let TaskRequest { plan: whole, layout, task } = *self.request;
        let seed = volatile::seed(&whole.run, layout.stage, task);
        match self.fragment().cloned() {
            None => refused("the plan has no fragment for the stage"),
            Some(Fragment::Sql) => {
                on_planning_thread(async move {
                    plan_sql(&store, &meter, &resources, &engine_plan, seed, way).await
                })
                .await
            }
            Some(Fragment::Plan { plan, scans }) => {
                let inputs = layout.inputs.clone();
                let Some(range) = layout.range(task) else {
                    return refused("the task is not in the plan");
                };
                let readers = readers(whole, layout, resources.cores);
                on_planning_thread(async move {
                    let context =
                        fragment_context(&store, &meter, &resources, &engine_plan, seed, way)?;
                    let memory = resources.memory;
                    let source =
                        |index| ExchangeSource::new(store.clone(), index, range, readers, memory);
                    let sources: Vec<_> =
                        inputs.into_iter().map(|index| Arc::new(source(index))).collect();
                    let plan = decode(&plan, &scans, &engine_plan.tables, &sources, &context)?;
                    let plan = if way.spills { make_spillable(plan)? } else { plan };
                    Ok((plan, context))
                })
                .await
            }
        }
    }

    /// Writes a part of the result, or files of a table.
    async fn write_rows(
        &self,
        plan: &PlanRef,
        range: PartitionRange,
        context: &Arc<TaskContext>,
    ) -> Result<TaskOutput, Failure> {
        let memory = self.resources.memory / WRITER_SHARE;
        let (mut writer, needs_file) = match &self.engine_plan.write {
            None => (TableWriter::of_part(&plan.schema(), memory)?, true),
            Some(write) => {
                let target = &write.target;
                let is_first = self.request.task == TaskId(0);
                let needs_file = target.creates && !target.is_there_already && is_first;
                (TableWriter::of_table(&plan.schema(), target, memory)?, needs_file)
            }
        };
        let mut batches = std::pin::pin!(run(plan, range, self.parallel(), context));
        while let Some((_, batch)) = batches.try_next().await? {
            writer.write(&batch)?;
        }
        Ok(TaskOutput { files: writer.finish(needs_file)?, usage: self.meter.usage(plan) })
    }

    async fn write_exchange(
        &self,
        plan: &PlanRef,
        range: PartitionRange,
        slots: u32,
        context: &Arc<TaskContext>,
    ) -> Result<TaskOutput, Failure> {
        let (plan, spreading) = spreading(plan, slots)?;
        let memory = self.resources.memory / WRITER_SHARE;
        let mut writer = ExchangeWriter::new(&plan.schema(), slots as usize, spreading, memory)?;
        let mut batches = std::pin::pin!(run(&plan, range, self.parallel(), context));
        while let Some((partition, batch)) = batches.try_next().await? {
            writer.write(partition, batch)?;
        }
        let usage = self.meter.usage(&plan);
        let (file, rows, bytes): (File, u64, u64) = writer.finish(usage)?;
        Ok(TaskOutput::of(Body::File(file), rows, bytes, usage))
    }

    /// How many partitions run at once. The joins of a plan that is one task wait for all of their
    /// partitions before they filter what they read, so none may be left waiting for another.
    fn parallel(&self) -> Option<usize> {
        (!self.is_sql()).then_some(self.resources.cores.max(1))
    }
}

/// How many slots the operators of a task read at once: a merge starts all of its inputs.
fn readers(plan: &Plan, layout: &Layout, cores: usize) -> usize {
    let whole = plan.stage(layout.stage).is_some_and(|s| s.whole);
    let slots =
        |input: &InputIndex| input.objects.first().map_or(0, |o| o.footer.offsets.len() - 1);
    let each = |input| if whole { slots(input) } else { cores };
    layout.inputs.iter().map(each).sum()
}

async fn plan_sql(
    store: &Arc<dyn ObjectStore>,
    meter: &Arc<Meter>,
    resources: &Resources,
    engine_plan: &EnginePlan,
    seed: u64,
    way: Way,
) -> Result<(PlanRef, Arc<TaskContext>), Failure> {
    let EnginePlan { sql, now, tables, write, .. } = engine_plan;
    let mut tables = Cow::Borrowed(tables);
    if way.whole_files {
        tables.to_mut().iter_mut().flat_map(|t| &mut t.files).for_each(|f| f.lines.clear());
    }
    let cores = resources.cores;
    let planning = Planning {
        store,
        tables: &tables,
        write: write.as_ref(),
        memory: resources.memory,
        meter,
        room: way.room,
        seed,
        now: *now,
    };
    let scans = vec![cores; tables.len()];
    let (context, logical) = planning.logical(sql, Reach::OneTask, cores, &scans).await?;
    let mut state = context.state();
    state.execution_props_mut().query_execution_start_time = Some(*now);
    if way.spills {
        state.config_mut().options_mut().optimizer.prefer_hash_join = false;
    }
    let plan = state.query_planner().create_physical_plan(&logical, &state).await?;
    let plan = if way.spills { make_spillable(plan)? } else { plan };
    Ok((plan, context.task_ctx()))
}

fn fragment_context(
    store: &Arc<dyn ObjectStore>,
    meter: &Arc<Meter>,
    resources: &Resources,
    engine_plan: &EnginePlan,
    seed: u64,
    way: Way,
) -> Result<Arc<TaskContext>, Failure> {
    let runtime = session::runtime(resources.memory, meter)?;
    let (reach, cores) = (Reach::ManyTasks, resources.cores);
    let mut state = session::session(runtime, reach, way.room, cores, engine_plan.now);
    volatile::register(&mut state, seed)?;
    nth_value::register(&mut state)?;
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

/// The batches of all partitions of a range, each with its partition; `parallel` partitions at
/// once, or all.
fn run(
    plan: &PlanRef,
    range: PartitionRange,
    parallel: Option<usize>,
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
    streams.map(on_own_task).flatten_unordered(parallel)
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
