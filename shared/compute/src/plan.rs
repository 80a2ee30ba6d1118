//! From SQL to stages.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::NullTreatment;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, displayable};
use datafusion::prelude::SessionContext;
use futures::future::try_join_all;
use object_store::ObjectStore;
use tidemill_protocol::job::Format;
use tidemill_protocol::record::{Output, Plan, Stage, StageIo};
use tidemill_protocol::{PlanRequest, StageId, Workers, cost};

use crate::corrections;
use crate::describe;
use crate::engine_plan::{EnginePlan, Write};
use crate::error::{Failure, refused};
use crate::estimate;
use crate::explain;
use crate::fingerprint;
use crate::meter::Meter;
use crate::resources::Resources;
use crate::session::{self, ENGINE_VERSION, MemoryMode, Placement};
use crate::spread::Spread;
use crate::stage::{Fragment, StageDraft, cut, encode, splittable_input};
use crate::statement::{Parsed, parse};
use crate::table::{self, Table};
use crate::write::{self, WriteRequest, align};

/// Pins the inputs of a job and cuts it into stages.
pub(crate) async fn plan(
    store: &Arc<dyn ObjectStore>,
    bucket: &str,
    resources: &Resources,
    request: &PlanRequest<'_>,
) -> Result<Plan, Failure> {
    let sql = request.spec.sql.as_str();
    let meter = Arc::new(Meter::default());
    let runtime = session::runtime(resources.memory, &meter)?;
    let state =
        session::session(runtime, Placement::SingleTask, MemoryMode::Normal, 1, request.now);
    let parsed = parse(sql)?;
    let references = table::references(&state, sql, &parsed)?;
    check_table_options(request, &references)?;
    let pinned = references
        .iter()
        .map(|r| table::pin(&state, store, bucket, r, request.spec, request.input));
    let tables = try_join_all(pinned).await?;
    if let (true, [table]) = (parsed.describes, &tables[..]) {
        return description(request, table);
    }
    let (write, publication) = match write_request(&parsed, request)? {
        None => (None, None),
        Some(asked) => {
            let pinned = write::pin(&state, store, bucket, &asked, request.spec).await?;
            (Some(Write { request: asked, target: pinned.0 }), Some(pinned.1))
        }
    };
    let planning = Planning {
        store,
        tables: &tables,
        write: write.as_ref(),
        memory: resources.memory,
        meter: &meter,
        memory_mode: MemoryMode::Normal,
        seed: 0, // nothing is drawn before a task runs
        now: request.now,
    };
    let whole = planning.logical(sql, Placement::SingleTask, &Spread::within(1, &tables)).await?;
    let spread = match request.spec.options.partitions {
        Some(asked) => Some(Spread::over(asked, &tables, resources.memory)),
        None => Spread::of(&whole.1, &tables, resources, &request.workers)?,
    };
    let (context, logical) = match &spread {
        None => whole,
        Some(s) => planning.logical(sql, Placement::Distributed, s).await?,
    };
    let single = spread.is_none().then(|| "it reads little".to_owned());
    let mut engine_plan = EnginePlan {
        sql: sql.to_owned(),
        now: request.now,
        tables: tables.clone(),
        write: write.clone(),
        fragments: vec![],
    };
    let (stages, single) = match single {
        Some(reason) => (vec![], Some(reason)),
        None => match distribute(&context, &logical, &mut engine_plan).await? {
            Ok(stages) => (stages, None),
            Err(reason) => (vec![], Some(reason)),
        },
    };
    let stages = match &single {
        None => stages,
        Some(_) => {
            engine_plan.fragments = vec![Fragment::Sql];
            vec![single_stage(estimate::of_one_task(&logical, &tables)?)]
        }
    };
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
    if parsed.explain {
        explanation(plan, &engine_plan, &context, &logical, &request.workers).await
    } else {
        Ok(plan)
    }
}

/// A plan whose rows say what another would do.
async fn explanation(
    plan: Plan,
    engine_plan: &EnginePlan,
    context: &SessionContext,
    logical: &LogicalPlan,
    workers: &Workers,
) -> Result<Plan, Failure> {
    let estimate = cost::estimate(&plan, workers);
    let mut lines = explain::explain(&plan, engine_plan, logical, &estimate)?;
    let state = context.state();
    let physical = state.query_planner().create_physical_plan(logical, &state).await?;
    lines.extend(explain::operators(&physical));
    let says = EnginePlan {
        sql: explain::statement_of(&lines),
        now: engine_plan.now,
        tables: vec![],
        write: None,
        fragments: vec![Fragment::Sql],
    };
    Ok(Plan {
        run: plan.run.clone(),
        engine: plan.engine.clone(),
        stages: vec![single_stage(StageIo::default())],
        task_bytes: plan.task_bytes,
        max_cost_usd: None,
        single: Some("it explains a statement".into()),
        publication: None,
        engine_plan: says.stored()?,
        estimate: None,
        explains: Some(Box::new(Plan {
            engine_plan: serde_json::Value::Null,
            estimate: Some(estimate),
            ..plan
        })),
    })
}

/// A plan whose rows are the columns of a table.
fn description(request: &PlanRequest<'_>, table: &Table) -> Result<Plan, Failure> {
    let says = EnginePlan {
        sql: describe::statement_of(table),
        now: request.now,
        tables: vec![],
        write: None,
        fragments: vec![Fragment::Sql],
    };
    Ok(Plan {
        run: request.run.clone(),
        engine: ENGINE_VERSION.to_owned(),
        stages: vec![single_stage(StageIo::default())],
        task_bytes: cost::TASK_BYTES,
        max_cost_usd: None,
        single: Some("it describes a table".into()),
        publication: None,
        engine_plan: says.stored()?,
        estimate: None,
        explains: None,
    })
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
    let read = |name: &str| references.iter().any(|r| r.name.table() == name);
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
        session::register_functions(&mut state, self.seed)?;
        let context = SessionContext::new_with_state(state.clone());
        table::register(&context, self.store, &self.meter.rejects, self.tables, &spread.scans)?;
        let logical = state.statement_to_plan(parse(sql)?.statement).await?;
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
    engine_plan: &mut EnginePlan,
) -> Result<Result<Vec<Stage>, String>, Failure> {
    let partitions = context.state().config().target_partitions();
    if let Some(reason) = lost_in_encoding(logical)? {
        return Ok(Err(reason));
    }
    let mut state = context.state();
    state.execution_props_mut().query_execution_start_time = Some(engine_plan.now);
    let physical = state.query_planner().create_physical_plan(logical, &state).await?;
    let drafts = match cut(physical, partitions)? {
        Ok(drafts) => drafts,
        Err(reason) => return Ok(Err(reason)),
    };
    let task_context = context.task_ctx();
    for draft in &drafts {
        match encode(&draft.plan, &engine_plan.tables, &task_context) {
            Ok(fragment) => engine_plan.fragments.push(fragment),
            Err(e) => {
                return Ok(Err(format!("a fragment cannot be encoded: {}", e.strip_backtrace())));
            }
        }
    }
    let EnginePlan { tables, fragments, .. } = engine_plan;
    let bytes = fragments.iter().map(|f| f.scan_bytes(tables));
    let io = estimate::of_stages(&drafts, tables);
    let mut stages: Vec<_> =
        drafts.iter().zip(bytes).zip(io).map(|((d, b), e)| stage(d, b, e)).collect();
    fingerprint::add(&mut stages, engine_plan)?;
    Ok(Ok(stages))
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

fn single_stage(expected: StageIo) -> Stage {
    Stage {
        id: StageId(0),
        inputs: vec![],
        partitions: 1,
        whole: true,
        scans: true,
        scan_bytes: 0,
        expected,
        splits: None,
        fingerprint: String::new(),
        reused: None,
        output: Output::Result,
        operators: "the whole statement".into(),
    }
}
