use std::any::Any;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use futures::{FutureExt, TryStreamExt};
use object_store::ObjectStore;
use tidemill_protocol::record::{InputIndex, Layout, Output, Plan, TaskSlice, Usage};
use tidemill_protocol::{TaskId, TaskOutput, TaskRequest, WorkerKind};

use super::LoadedPlan;
use super::exchange_write::{ExchangeWriter, Spreading};
use super::run::run;
use super::wider::Wider;
use super::{diagnose, failed_cast};
use crate::engine_plan::EnginePlan;
use crate::error::{Failure, panic_text, refused};
use crate::functions::Callers;
use crate::meter::{Meter, MeteredStore};
use crate::plan::Planning;
use crate::planning_thread::on_planning_thread;
use crate::resources::Resources;
use crate::session::{self, MemoryMode, Placement};
use crate::spread::Spread;
use crate::stage::{ExchangeSource, Fragment, Part, decode, runnable};
use crate::table;
use crate::volatile;
use crate::write::{Previewer, TableWriter};

type PlanRef = Arc<dyn ExecutionPlan>;

/// The files that a task writes hold at most this part of its memory before they are written out.
const WRITER_MEMORY_DIVISOR: usize = 8;

/// Runs the partitions of one task and spools what they make.
pub(crate) async fn execute(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    loaded: &Arc<LoadedPlan>,
    callers: &Arc<Callers>,
    request: &TaskRequest<'_>,
) -> Result<TaskOutput, Failure> {
    let resources = resources.of_task(request.layout.tasks.len());
    let mut fallback = Fallback::default();
    let mut wider = Wider::new(loaded);
    loop {
        let cores = if fallback.memory_mode == MemoryMode::Tight { 1 } else { resources.cores };
        let resources = Resources { cores, ..resources };
        let loaded = wider.loaded().clone();
        let task = Task::new(store, &resources, &loaded, callers, request);
        let attempt = AssertUnwindSafe(task.attempt(fallback)).catch_unwind().await;
        let failure = match attempt.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Err(failure) => failure,
            done => return done,
        };
        if failure.is_cut_in_quotes() && task.is_sql() && !fallback.whole_files {
            fallback.whole_files = true;
        } else if failure.is_out_of_memory() && !fallback.spills {
            fallback.spills = true;
        } else if failure.is_out_of_memory() && fallback.memory_mode == MemoryMode::Normal {
            fallback.memory_mode = MemoryMode::Tight;
        } else if !(task.is_sql() && wider.widen(&failure)) {
            return Err(wider.explained(failure));
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    Failure::Panicked(panic_text(panic).to_owned())
}

/// What a task falls back to; each is tried only when what is faster did not work.
#[derive(Debug, Clone, Copy, Default)]
struct Fallback {
    /// CSV files are not read in parts.
    whole_files: bool,
    /// Joins and sorts can spill.
    spills: bool,
    /// In the tight mode one partition runs at a time.
    memory_mode: MemoryMode,
}

/// One try of a task.
struct Task<'a> {
    /// Counted by the meter.
    store: Arc<dyn ObjectStore>,
    meter: Arc<Meter>,
    resources: &'a Resources,
    loaded: &'a Arc<LoadedPlan>,
    callers: &'a Arc<Callers>,
    request: &'a TaskRequest<'a>,
}

impl<'a> Task<'a> {
    fn new(
        store: &Arc<dyn ObjectStore>,
        resources: &'a Resources,
        loaded: &'a Arc<LoadedPlan>,
        callers: &'a Arc<Callers>,
        request: &'a TaskRequest<'a>,
    ) -> Self {
        let meter = Arc::new(Meter::default());
        let store = Arc::new(MeteredStore::new(store.clone(), meter.clone()));
        Self { store, meter, resources, loaded, callers, request }
    }

    fn is_sql(&self) -> bool {
        matches!(self.loaded.fragment(self.request.layout.stage), Some(Fragment::Sql))
    }

    async fn attempt(&self, fallback: Fallback) -> Result<TaskOutput, Failure> {
        let (part, context) = self.prepare(fallback).await?;
        let TaskRequest { plan: whole, layout, .. } = *self.request;
        let Some(stage) = whole.stage(layout.stage) else {
            return refused("the task is not in the plan");
        };
        let operators = part.plan.clone();
        let writing = async {
            match stage.output {
                Output::Result => self.write_rows(&part, &context).await,
                Output::Exchange { slots } => self.write_exchange(part, slots, &context).await,
            }
        };
        let written = AssertUnwindSafe(writing).catch_unwind().await;
        match written.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            // it may have been the decoder of a damaged file
            Err(failure @ Failure::Panicked(_)) => {
                Err(diagnose::name_the_file(&self.loaded.plan, &context, failure).await)
            }
            Err(failure)
                if failure.is_cut_in_quotes()
                    || failure.is_out_of_memory()
                    || failure.unreadable().is_some()
                    || failure.call_failed().is_some() =>
            {
                Err(failure)
            }
            Err(failure @ Failure::DataFusion(_)) => {
                let failure = failed_cast::name_the_cast(&operators, failure);
                Err(diagnose::name_the_file(&self.loaded.plan, &context, failure).await)
            }
            Err(failure) => Err(failure),
            Ok(output) => Ok(output.with_rejects(self.meter.rejects.objects())),
        }
    }

    /// Decodes the task's fragment, or plans its SQL.
    async fn prepare(&self, fallback: Fallback) -> Result<(Part, Arc<TaskContext>), Failure> {
        let (store, meter) = (self.store.clone(), self.meter.clone());
        let (resources, loaded) = (*self.resources, self.loaded.clone());
        let callers = self.callers.clone();
        let TaskRequest { plan: whole, layout, task, .. } = *self.request;
        let stage = layout.stage;
        let seed = volatile::seed(&whole.run, stage, task);
        let Some(slice) = layout.slice(task) else {
            return refused("the task is not in the plan");
        };
        let sources = self.sources(slice);
        let is_shallow = loaded.fragment(stage).is_some_and(Fragment::is_shallow);
        let work = async move {
            let plan = &loaded.plan;
            let Some(Fragment::Plan { plan: fragment, scans }) = loaded.fragment(stage) else {
                let planned = plan_sql(&store, &meter, &resources, plan, seed, fallback).await?;
                let context = planned.1.session_config().clone().with_extension(callers);
                let context = planned.1.with_session_config(context);
                return Ok((Part::whole(planned.0), Arc::new(context)));
            };
            let context = fragment_context(&store, &meter, &resources, &loaded, seed, fallback)?;
            let part = decode(fragment, scans, &plan.tables, &sources, slice, &context)?;
            let plan = runnable(part.plan, fallback.spills)?;
            let config = context.session_config().clone().with_extension(callers);
            let config = session::with_room_to_merge(config, &resources, &plan, fallback.spills);
            let context = context.with_session_config(config);
            Ok((Part { plan, ..part }, Arc::new(context)))
        };
        if is_shallow { work.await } else { on_planning_thread(work).await }
    }

    /// What the task reads of the exchanges.
    fn sources(&self, slice: TaskSlice) -> Vec<Arc<ExchangeSource>> {
        let TaskRequest { plan: whole, layout, .. } = *self.request;
        let readers = readers(whole, layout, self.resources.cores);
        let splits = whole.stage(layout.stage).and_then(|s| s.splits);
        let source = |index: &InputIndex| {
            let mut index = index.clone();
            if let Some((from, to)) = slice.objects.filter(|_| splits == Some(index.stage)) {
                index.objects.truncate(to as usize);
                index.objects.drain(..(from as usize).min(index.objects.len()));
            }
            let (store, memory) = (self.store.clone(), self.resources.memory);
            Arc::new(ExchangeSource::new(store, index, slice, readers, memory))
        };
        layout.inputs.iter().map(source).collect()
    }

    /// Writes a part of the result, or files of a table.
    async fn write_rows(
        &self,
        part: &Part,
        context: &Arc<TaskContext>,
    ) -> Result<TaskOutput, Failure> {
        let schema = part.plan.schema();
        let memory = self.resources.memory / WRITER_MEMORY_DIVISOR;
        let (mut writer, needs_file) = match &self.loaded.plan.write {
            None => (TableWriter::of_part(&schema, memory)?, true),
            Some(write) => {
                let target = &write.target;
                let is_first = self.request.task == TaskId(0);
                let needs_file = target.creates && !target.is_there_already && is_first;
                (TableWriter::of_table(&schema, target, memory)?, needs_file)
            }
        };
        let is_first = self.loaded.plan.write.is_none() && self.request.task == TaskId(0);
        let mut preview = is_first.then(|| Previewer::new(&schema));
        let mut batches = std::pin::pin!(run(part, self.parallel(), context)?);
        while let Some((_, batch)) = batches.try_next().await? {
            if let Some(preview) = &mut preview {
                preview.add(&batch)?;
            }
            writer.write(&batch)?;
        }
        let output = TaskOutput::files(writer.finish(needs_file)?, self.usage(&part.plan));
        Ok(output.with_preview(preview.map(Previewer::finish)))
    }

    async fn write_exchange(
        &self,
        part: Part,
        slots: u32,
        context: &Arc<TaskContext>,
    ) -> Result<TaskOutput, Failure> {
        let tasks = self.request.layout.tasks.len();
        // tasks of a few rows begin with different slots
        let first = self.request.task.0 as usize * slots as usize / tasks.max(1);
        let (plan, spreading) = spreading(&part.plan, slots, first)?;
        let part = Part { plan, ..part };
        let memory = self.resources.memory / WRITER_MEMORY_DIVISOR;
        let schema = part.plan.schema();
        let slots = slots as usize;
        let mut writer = ExchangeWriter::new(&schema, slots, tasks, spreading, memory)?;
        let mut batches = std::pin::pin!(run(&part, self.parallel(), context)?);
        while let Some((partition, batch)) = batches.try_next().await? {
            writer.write(partition, batch)?;
        }
        let (body, bytes, footer) = writer.finish(self.usage(&part.plan))?;
        Ok(TaskOutput::exchange(body, bytes, footer))
    }

    fn usage(&self, plan: &PlanRef) -> Usage {
        let large_tasks = u64::from(self.request.kind == WorkerKind::Large);
        Usage { large_tasks, ..self.meter.usage(plan) }
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
    fallback: Fallback,
) -> Result<(PlanRef, TaskContext), Failure> {
    let EnginePlan { sql, params, functions, now, tables, write, .. } = engine_plan;
    let mut tables = Cow::Borrowed(tables);
    if fallback.whole_files {
        tables.to_mut().iter_mut().flat_map(|t| &mut t.files).for_each(|f| f.lines.clear());
    }
    let cores = resources.cores;
    let planning = Planning {
        store,
        params,
        functions,
        tables: &tables,
        write: write.as_ref(),
        memory: resources.memory,
        meter,
        memory_mode: fallback.memory_mode,
        seed,
        now: *now,
    };
    let spread = Spread::within(cores, &tables);
    let (context, logical) = planning.logical(sql, Placement::SingleTask, &spread).await?;
    let mut state = context.state();
    state.execution_props_mut().query_execution_start_time = Some(*now);
    if fallback.spills {
        state.config_mut().options_mut().optimizer.prefer_hash_join = false;
    }
    let plan = state.query_planner().create_physical_plan(&logical, &state).await?;
    let plan = runnable(plan, fallback.spills)?;
    let config = state.config().clone();
    *state.config_mut() = session::with_room_to_merge(config, resources, &plan, fallback.spills);
    Ok((plan, TaskContext::from(&state)))
}

fn fragment_context(
    store: &Arc<dyn ObjectStore>,
    meter: &Arc<Meter>,
    resources: &Resources,
    loaded: &LoadedPlan,
    seed: u64,
    fallback: Fallback,
) -> Result<TaskContext, Failure> {
    let runtime = session::runtime(resources.memory, meter)?;
    for number in 0..loaded.plan.tables.len() {
        table::register_store(&runtime, store, &meter.rejects, loaded.files(number)?, number)?;
    }
    session::fragment_context(runtime, fallback.memory_mode, resources.cores, seed)
}

/// A repartition on top of a fragment says how rows are spread over the slots.
fn spreading(plan: &PlanRef, slots: u32, first: usize) -> Result<(PlanRef, Spreading), Failure> {
    if let Some(repartition) = plan.downcast_ref::<RepartitionExec>() {
        let input = repartition.input().clone();
        match repartition.partitioning() {
            Partitioning::Hash(expressions, _) => {
                return Ok((input, Spreading::hash(expressions.clone(), slots as usize)?));
            }
            Partitioning::RoundRobinBatch(_) => return Ok((input, Spreading::InTurn(first))),
            _ => {}
        }
    }
    let spreading = if slots == 1 { Spreading::Gather } else { Spreading::ByPartition };
    Ok((plan.clone(), spreading))
}
