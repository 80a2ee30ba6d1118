//! From SQL to stages.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::NullTreatment;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, displayable};
use datafusion::prelude::SessionContext;
use futures::future::try_join_all;
use object_store::ObjectStore;
use tidemill_protocol::cost::Bounds;
use tidemill_protocol::job::{Format, is_named};
use tidemill_protocol::param::Params;
use tidemill_protocol::record::{Plan, Publication, Stage, StageIo};
use tidemill_protocol::{PlanRequest, WorkerKind, cost};

use crate::catalog;
use crate::corrections;
use crate::describe::description;
use crate::engine_plan::{EnginePlan, Write, single_stage};
use crate::error::{Failure, refused};
use crate::estimate;
use crate::explain::explanation;
use crate::fingerprint;
use crate::functions::{
    self, CallExec, Callables, Known, SlowCalls, any_slow, calls_functions, tasks_of_calls,
};
use crate::meter::Meter;
use crate::resources::Resources;
use crate::session::{self, ENGINE_VERSION, MemoryMode, Placement};
use crate::spread::Spread;
use crate::stage::{CutError, Fragment, StageDraft, cut, encode, splittable_input};
use crate::statement::{Parsed, parse};
use crate::table::{self, Table};
use crate::write::{self, WriteRequest, align};

/// Plans a job: pins its inputs, finds the shape that it runs in, and puts both into a plan.
pub(crate) async fn plan(
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    resources: &Resources,
    request: &PlanRequest<'_>,
) -> Result<Plan, Failure> {
    let meter = Arc::new(Meter::default());
    let expanded = match catalog::asking(request.spec.statement())? {
        None => None,
        Some(asking) => {
            let state = planning_state(resources, request.now, &meter)?;
            Some(catalog::expanded(&state, store, request.spec, asking).await?)
        }
    };
    let request = &PlanRequest { spec: expanded.as_ref().unwrap_or(request.spec), ..*request };
    let parsed = parse(request.spec.statement(), &request.spec.params, &Known::default())?;
    let inputs = pin_inputs(store, bucket, resources, request, &parsed, &meter).await?;
    if let (true, [table]) = (parsed.describes, &inputs.tables[..]) {
        return description(request, table);
    }
    let shaped = shape(store, resources, request, &inputs, &meter).await?;
    assemble(request, inputs, shaped, parsed.explain).await
}

/// What tables are looked into with.
fn planning_state(
    resources: &Resources,
    now: DateTime<Utc>,
    meter: &Arc<Meter>,
) -> Result<SessionState, Failure> {
    let runtime = session::runtime(resources.memory, meter)?;
    let mut state = session::session(runtime, Placement::SingleTask, MemoryMode::Normal, 1, now);
    session::register_functions(&mut state, 0, &Callables::default())?;
    Ok(state)
}

/// What a job reads and where it writes, as it is now.
struct Inputs {
    tables: Vec<Table>,
    functions: Callables,
    write: Option<Write>,
    publication: Option<Publication>,
}

async fn pin_inputs(
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    resources: &Resources,
    request: &PlanRequest<'_>,
    parsed: &Parsed,
    meter: &Arc<Meter>,
) -> Result<Inputs, Failure> {
    let PlanRequest { spec, input, now, .. } = *request;
    let state = planning_state(resources, now, meter)?;
    let functions = functions::find(&state, store, parsed, &spec.functions).await?;
    let references = table::references(&state, spec.statement(), parsed)?;
    check_table_options(request, &references)?;
    let pinned = references.iter().map(|r| table::pin(&state, store, bucket, r, spec, input));
    let tables = try_join_all(pinned).await?;
    let (mut write, mut publication) = (None, None);
    if !parsed.describes
        && let Some(asked) = write_request(parsed, request)?
    {
        let pinned = write::pin(&state, store, bucket, &asked, spec).await?;
        write = Some(Write { request: asked, target: pinned.0 });
        publication = Some(pinned.1);
    }
    Ok(Inputs { tables, functions, write, publication })
}

/// How a job runs.
enum Shape {
    /// In stages, with the fragment of each.
    Distributed(Vec<Stage>, Vec<Fragment>),
    /// As one task that plans the SQL again.
    SingleTask { reason: String },
}

/// The shape of a job, and the plan that it was found with.
struct Shaped {
    shape: Shape,
    context: SessionContext,
    logical: LogicalPlan,
    call_seconds: Bounds<f64>,
}

/// One task for what reads little, or cannot be spread; else as many as its bytes are worth.
async fn shape(
    store: &Arc<dyn ObjectStore>,
    resources: &Resources,
    request: &PlanRequest<'_>,
    inputs: &Inputs,
    meter: &Arc<Meter>,
) -> Result<Shaped, Failure> {
    let (sql, tables) = (request.spec.statement(), &inputs.tables);
    let planning = Planning {
        store,
        params: &request.spec.params,
        functions: &inputs.functions,
        tables,
        write: inputs.write.as_ref(),
        memory: resources.memory,
        meter,
        memory_mode: MemoryMode::Normal,
        seed: 0, // nothing is drawn before a task runs
        now: request.now,
    };
    let within = Spread::within(1, tables);
    let (context, logical) = planning.logical(sql, Placement::SingleTask, &within).await?;
    let call_seconds = call_seconds(&context, &logical, inputs).await?;
    let (spread, calls) = match request.spec.options.partitions {
        Some(asked) => (Some(Spread::over(asked, tables, resources.memory)), asked as usize),
        None => {
            let calls = tasks_of_calls(call_seconds.high);
            (Spread::of(&logical, tables, resources, &request.workers, calls)?, calls)
        }
    };
    let Some(spread) = spread else {
        let shape = Shape::SingleTask { reason: "it reads little".to_owned() };
        return Ok(Shaped { shape, context, logical, call_seconds });
    };
    let (context, logical) = planning.logical(sql, Placement::Distributed, &spread).await?;
    let shape = distribute(&context, &logical, inputs, request.now, calls).await?;
    Ok(Shaped { shape, context, logical, call_seconds })
}

/// What the calls of functions are expected to take that say what a row takes.
async fn call_seconds(
    context: &SessionContext,
    logical: &LogicalPlan,
    inputs: &Inputs,
) -> Result<Bounds<f64>, Failure> {
    if !any_slow(&inputs.functions) {
        return Ok(Bounds::default());
    }
    let state = context.state();
    let physical = state.query_planner().create_physical_plan(logical, &state).await?;
    Ok(estimate::call_seconds_of(&physical, &inputs.tables, &inputs.functions))
}

/// The plan of a job, or one whose rows explain it.
async fn assemble(
    request: &PlanRequest<'_>,
    inputs: Inputs,
    shaped: Shaped,
    explains: bool,
) -> Result<Plan, Failure> {
    let Inputs { tables, functions, write, publication } = inputs;
    let Shaped { shape, context, logical, call_seconds } = shaped;
    let (mut stages, fragments, single) = match shape {
        Shape::Distributed(stages, fragments) => (stages, fragments, None),
        Shape::SingleTask { reason } => {
            let calls = calls_functions(&logical)?;
            let call_millis = estimate::millis(call_seconds);
            let expected = StageIo { call_millis, ..estimate::of_one_task(&logical, &tables)? };
            let stage = single_stage(expected, worker(calls));
            (vec![stage], vec![Fragment::Sql], Some(reason))
        }
    };
    let (sql, now) = (request.spec.statement().to_owned(), request.now);
    let params = request.spec.params.clone();
    let engine_plan = EnginePlan { sql, params, functions, now, tables, write, fragments };
    fingerprint::add(&mut stages, &engine_plan)?;
    let plan = Plan {
        run: request.run.clone(),
        engine: ENGINE_VERSION.to_owned(),
        stages,
        // a user who asks for partitions gets each as a task
        task_bytes: if request.spec.options.partitions.is_some() { 0 } else { cost::TASK_BYTES },
        max_cost_usd: None,
        estimate: None,
        explains: None,
        single,
        publication,
        engine_plan: engine_plan.stored()?,
    };
    match explains {
        true => explanation(plan, &engine_plan, &context, &logical, &request.workers).await,
        false => Ok(plan),
    }
}

/// Where the rows go: by the statement, or by the option `into`.
fn write_request(
    parsed: &Parsed,
    request: &PlanRequest<'_>,
) -> Result<Option<WriteRequest>, Failure> {
    match (&parsed.write, &request.spec.into) {
        (Some(_), Some(into)) => refused(format!(
            "the statement writes into a table itself, so the job cannot have into ({into}) too"
        )),
        (Some(asked), None) => Ok(Some(asked.clone())),
        (None, Some(into)) => Ok(Some(WriteRequest::into_folder(into))),
        (None, None) => Ok(None),
    }
}

/// Options for a table that the SQL does not read are a mistake in its name.
fn check_table_options(
    request: &PlanRequest<'_>,
    references: &[table::Reference],
) -> Result<(), Failure> {
    let read = |name: &str| references.iter().any(|r| is_named(name, r.name.table()));
    match request.spec.tables.keys().find(|name| !read(name)) {
        None => Ok(()),
        Some(name) => {
            refused(format!("the job has options for table {name}, which its SQL does not read"))
        }
    }
}

/// What SQL is planned over.
#[derive(Clone, Copy)]
pub(crate) struct Planning<'a> {
    pub(crate) store: &'a Arc<dyn ObjectStore>,
    pub(crate) params: &'a Params,
    pub(crate) functions: &'a Callables,
    pub(crate) tables: &'a [Table],
    pub(crate) write: Option<&'a Write>,
    /// Bytes.
    pub(crate) memory: usize,
    pub(crate) meter: &'a Arc<Meter>,
    pub(crate) memory_mode: MemoryMode,
    /// Of `random()` and `uuid()`.
    pub(crate) seed: u64,
    pub(crate) now: DateTime<Utc>,
}

impl Planning<'_> {
    /// The optimized plan.
    pub(crate) async fn logical(
        self,
        sql: &str,
        placement: Placement,
        spread: &Spread,
    ) -> Result<(SessionContext, LogicalPlan), Failure> {
        let runtime = session::runtime(self.memory, self.meter)?;
        let mut state =
            session::session(runtime, placement, self.memory_mode, spread.partitions, self.now);
        spread.set(&mut state.config_mut().options_mut().optimizer);
        session::register_functions(&mut state, self.seed, self.functions)?;
        let context = SessionContext::new_with_state(state.clone());
        table::register(&context, self.store, &self.meter.rejects, self.tables, &spread.scans)?;
        let parsed = parse(sql, self.params, &Known::of(self.functions))?;
        let logical = state.statement_to_plan(parsed.statement).await?;
        if logical.schema().fields().is_empty() && self.write.is_none() {
            return refused("the statement selects no columns: write SELECT * FROM …");
        }
        let corrected = corrections::correct(logical)?;
        let aligned = match self.write {
            Some(write) => align(corrected, &write.request, &write.target)?,
            None => corrected,
        };
        let format = self.write.map_or(Format::Parquet, |w| w.target.format);
        write::check_columns(aligned.schema().as_arrow(), format)?;
        let logical = state.optimize(&aligned)?;
        table::check_columns(&logical, self.tables)?;
        Ok((context, corrections::finish(logical)?))
    }
}

/// The stages of a job that is spread, or why it is not.
async fn distribute(
    context: &SessionContext,
    logical: &LogicalPlan,
    inputs: &Inputs,
    now: DateTime<Utc>,
    calls: usize,
) -> Result<Shape, Failure> {
    let Inputs { tables, functions, .. } = inputs;
    if let Some(reason) = lost_in_encoding(logical)? {
        return Ok(Shape::SingleTask { reason });
    }
    let mut state = context.state();
    let partitions = state.config().target_partitions();
    state.execution_props_mut().query_execution_start_time = Some(now);
    let slow = SlowCalls { functions: functions.clone(), tasks: calls };
    state.config_mut().set_extension(Arc::new(slow));
    let physical = state.query_planner().create_physical_plan(logical, &state).await?;
    let drafts = match cut(physical, partitions) {
        Ok(drafts) => drafts,
        Err(CutError::NotDistributable(reason)) => return Ok(Shape::SingleTask { reason }),
        Err(CutError::Failed(failure)) => return Err(failure),
    };
    let task_context = context.task_ctx();
    let mut fragments = vec![];
    for draft in &drafts {
        match encode(&draft.plan, tables, &task_context) {
            Ok(fragment) => fragments.push(fragment),
            Err(e) => {
                let reason = format!("a fragment cannot be encoded: {}", e.strip_backtrace());
                return Ok(Shape::SingleTask { reason });
            }
        }
    }
    let bytes = fragments.iter().map(|f| f.scan_bytes(tables));
    let io = estimate::of_stages(&drafts, tables, functions);
    let stages = drafts.iter().zip(bytes).zip(io).map(|((d, b), io)| stage(d, b, io)).collect();
    Ok(Shape::Distributed(stages, fragments))
}

/// What a fragment would be decoded without: `datafusion-proto` writes a window function without
/// its filter and without `IGNORE NULLS`, and its physical form does not show them.
fn lost_in_encoding(plan: &LogicalPlan) -> Result<Option<String>, Failure> {
    let mut lost = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|e| {
            e.apply(|e| {
                if let Expr::WindowFunction(window) = e {
                    let ignores = window.params.null_treatment == Some(NullTreatment::IgnoreNulls);
                    if ignores || window.params.filter.is_some() {
                        lost = Some(format!("{e} does not survive its encoding"));
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(lost)
}

fn stage(draft: &StageDraft, scan_bytes: u64, expected: StageIo) -> Stage {
    Stage {
        id: draft.id,
        inputs: draft.inputs.clone(),
        worker: worker(calls_functions_in(&draft.plan)),
        partitions: input_partitions(&draft.plan),
        whole: draft.whole,
        scans: draft.scans,
        scan_bytes,
        expected,
        splits: splittable_input(&draft.plan, draft.output),
        fingerprint: String::new(),
        reused: None,
        output: draft.output,
        operators: operators(&draft.plan),
    }
}

/// Who executes what calls functions, or does not.
fn worker(calls_functions: bool) -> WorkerKind {
    if calls_functions { WorkerKind::PythonSql } else { WorkerKind::Normal }
}

fn calls_functions_in(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<CallExec>() || plan.children().into_iter().any(calls_functions_in)
}

/// How many partitions a fragment runs: a repartition on top of it spreads its rows, and its own
/// count is that of the slots.
pub(crate) fn input_partitions(plan: &Arc<dyn ExecutionPlan>) -> u32 {
    let inner = match plan.downcast_ref::<datafusion::physical_plan::repartition::RepartitionExec>()
    {
        Some(repartition) => repartition.input(),
        None => plan,
    };
    u32::try_from(inner.output_partitioning().partition_count()).unwrap_or(u32::MAX)
}

/// The operators of a fragment from its leaves up, for people.
fn operators(plan: &Arc<dyn ExecutionPlan>) -> String {
    let text = displayable(plan.as_ref()).indent(false).to_string();
    let names = text.lines().filter_map(|line| {
        let name = line.trim().split(':').next()?.trim();
        name.strip_suffix("Exec").or(Some(name)).map(str::to_owned)
    });
    let mut names: Vec<_> = names.filter(|n| n != "Projection" && n != "Cooperative").collect();
    names.reverse();
    names.dedup();
    names.join(" → ")
}
