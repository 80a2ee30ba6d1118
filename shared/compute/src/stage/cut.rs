//! Cuts a physical plan at its exchanges.
//!
//! Only operators that are known to give the right answer when their partitions run in different
//! processes are let through; the first other one is named, and the job becomes one task.
//!
//! - A hash repartition, a gather and a merge end a stage. The stage's fragment keeps the
//!   `RepartitionExec` on top: it says how the task's rows are spread over the slots.
//! - The collected side of a join is an exchange that every task reads whole, unless it is a
//!   small scan that every task may as well repeat.
//! - A join that emits rows of its collected side knows which of them matched only after *all*
//!   probe partitions: its fragment runs whole, in one task. So does a merge, which reads all
//!   partitions of its input. A hash join of that kind whose other side is large is partitioned
//!   by its keys instead.
//! - A scalar subquery is an exchange of one row; every fragment with an expression over its value
//!   reads it first.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::physical_planning_context::ScalarSubqueryResults;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode, SortMergeJoinExec,
};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::{ScalarSubqueryExec, ScalarSubqueryLink};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use tidemill_protocol::StageId;
use tidemill_protocol::record::{Input, Output, Read};

use super::ExchangeReadExec;
use super::scalar_subqueries::{needs_value, needs_values, row_inputs};
use crate::error::Failure;
use crate::functions::{CallExec, SpreadExec};

type PlanRef = Arc<dyn ExecutionPlan>;

/// Rows of a scan that every task may repeat: an exchange takes a task, and its readers wait for it.
const REPEATED_SCAN_ROWS_MAX: usize = 128 * 1024;

/// A stage whose fragment is still a plan.
#[derive(Debug)]
pub(crate) struct StageDraft {
    pub(crate) id: StageId,
    pub(crate) plan: PlanRef,
    pub(crate) inputs: Vec<Input>,
    pub(crate) whole: bool,
    pub(crate) scans: bool,
    pub(crate) output: Output,
}

/// Cuts a plan into stages, inputs before readers; `partitions` is what hash exchanges have.
///
/// # Errors
/// [`CutError::NotDistributable`] names the operator that cannot be spread over tasks.
pub(crate) fn cut(plan: PlanRef, partitions: usize) -> Result<Vec<StageDraft>, CutError> {
    let mut cutter = Cutter { stages: vec![], partitions, values: None };
    let last = cutter.visit(plan)?;
    cutter.end_stage(last, Output::Result);
    Ok(cutter.stages)
}

/// Why a plan was not cut.
#[derive(Debug)]
pub(crate) enum CutError {
    /// The plan cannot be spread; the text says why.
    NotDistributable(String),
    Failed(Failure),
}

/// A part of the plan that has not met its exchange yet.
struct Open {
    plan: PlanRef,
    inputs: Vec<Input>,
    whole: bool,
    scans: bool,
}

impl From<datafusion::error::DataFusionError> for CutError {
    fn from(e: datafusion::error::DataFusionError) -> Self {
        Self::Failed(e.into())
    }
}

struct Cutter {
    stages: Vec<StageDraft>,
    /// Of hash exchanges.
    partitions: usize,
    /// What expressions of the part that is visited may take.
    values: Option<Values>,
}

/// The values of the scalar subqueries of a plan.
struct Values {
    /// Reads of their stages.
    links: Vec<ScalarSubqueryLink>,
    inputs: Vec<Input>,
    /// Where expressions find them.
    results: ScalarSubqueryResults,
}

impl Cutter {
    fn visit(&mut self, plan: PlanRef) -> Result<Open, CutError> {
        if let Some(repartition) = plan.downcast_ref::<RepartitionExec>() {
            return self.repartition(repartition);
        }
        if let Some(spread) = plan.downcast_ref::<SpreadExec>() {
            let rows = Partitioning::RoundRobinBatch(spread.partitions());
            return self.repartition(&RepartitionExec::try_new(spread.input().clone(), rows)?);
        }
        if let Some(coalesce) = plan.downcast_ref::<CoalescePartitionsExec>() {
            return self.gather(coalesce.input().clone(), coalesce.fetch());
        }
        if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
            return self.merge(merge);
        }
        if let Some(node) = plan.downcast_ref::<ScalarSubqueryExec>() {
            return self.scalar_subqueries(node);
        }
        if let Some(join) = join_to_partition(&plan) {
            return self.visit(partition_join(join, self.partitions)?);
        }
        if let Some(join_type) = collected_join(&plan) {
            return self.collected_join(plan, join_type);
        }
        if is_one_empty_grouping_set(&plan) {
            let reason = "GROUPING SETS (()) does not survive its encoding";
            return Err(CutError::NotDistributable(reason.into()));
        }
        if is_reversed_window(&plan) {
            let reason = "a window function that runs backwards does not survive its encoding";
            return Err(CutError::NotDistributable(reason.into()));
        }
        if !is_known(&plan) {
            return Err(CutError::NotDistributable(format!(
                "{} cannot be spread over tasks",
                plan.name()
            )));
        }
        self.pass(plan)
    }

    /// An operator that works on each of its partitions alone.
    fn pass(&mut self, plan: PlanRef) -> Result<Open, CutError> {
        let mut open = Open {
            plan: plan.clone(),
            inputs: vec![],
            whole: false,
            scans: plan.is::<DataSourceExec>(),
        };
        let mut children = vec![];
        for child in plan.children() {
            let child = self.visit(child.clone())?;
            open.absorb(&child);
            children.push(child.plan);
        }
        open.plan = rebuild(plan, children)?;
        Ok(open)
    }

    /// A stage for each subquery, and a read of it for every fragment that needs its value.
    fn scalar_subqueries(&mut self, node: &ScalarSubqueryExec) -> Result<Open, CutError> {
        if self.values.is_some() {
            return Err(CutError::NotDistributable(
                "a scalar subquery below another cannot be spread".into(),
            ));
        }
        let (mut links, mut inputs) = (vec![], vec![]);
        for link in node.subqueries() {
            let value = self.gather(link.plan.clone(), None)?;
            let read = self.exchange(value, 1, Read::All)?;
            inputs.extend(read.inputs);
            links.push(ScalarSubqueryLink { plan: read.plan, index: link.index });
        }
        self.values = Some(Values { links, inputs, results: node.results().clone() });
        let input = self.visit(node.input().clone())?;
        let open = self.with_values(input)?;
        self.values = None;
        Ok(open)
    }

    /// A fragment that reads the values of scalar subqueries first, if an expression needs one: all
    /// of them, since they are encoded by their place.
    fn with_values(&self, mut open: Open) -> Result<Open, CutError> {
        if let Some(Values { links, inputs, results }) = &self.values
            && needs_values(&open.plan)?
        {
            open.read(inputs);
            let values = ScalarSubqueryExec::new(open.plan, links.clone(), results.clone());
            open.plan = Arc::new(values);
        }
        Ok(open)
    }

    fn repartition(&mut self, node: &RepartitionExec) -> Result<Open, CutError> {
        let (keys, slots) = match node.partitioning() {
            Partitioning::Hash(keys, slots) => (&keys[..], slots),
            Partitioning::RoundRobinBatch(slots) => (&[][..], slots),
            other => {
                let reason = format!("a repartition by {other} cannot be spread");
                return Err(CutError::NotDistributable(reason));
            }
        };
        for key in keys {
            if needs_value(key)? {
                let reason = format!("a repartition by {key} cannot be spread");
                return Err(CutError::NotDistributable(reason));
            }
        }
        if node.preserve_order() {
            return Err(CutError::NotDistributable(
                "a repartition that keeps its order cannot be spread".into(),
            ));
        }
        let child = self.visit(node.input().clone())?;
        let mut child = self.with_values(child)?;
        child.plan = Arc::new(RepartitionExec::try_new(child.plan, node.partitioning().clone())?);
        self.exchange(child, *slots, Read::Slot)
    }

    /// All partitions into one, in no order.
    fn gather(&mut self, input: PlanRef, fetch: Option<usize>) -> Result<Open, CutError> {
        let mut child = self.visit(input)?;
        if child.partitions() > 1 {
            if let Some(fetch) = fetch {
                child.plan = Arc::new(LocalLimitExec::new(child.plan, fetch));
            }
            child = self.exchange(child, 1, Read::All)?;
        }
        if fetch.is_some() {
            child.plan = Arc::new(GlobalLimitExec::new(child.plan, 0, fetch));
        }
        Ok(child)
    }

    /// All partitions into one, in their common order.
    fn merge(&mut self, node: &SortPreservingMergeExec) -> Result<Open, CutError> {
        let mut child = self.visit(node.input().clone())?;
        let partitions = child.partitions();
        if partitions > 1 {
            child = self.exchange(child, partitions, Read::Slot)?;
            child.whole = true;
        }
        let merge = SortPreservingMergeExec::new(node.expr().clone(), child.plan);
        child.plan = Arc::new(merge.with_fetch(node.fetch()));
        Ok(child)
    }

    /// A join whose left side is collected by every task.
    fn collected_join(&mut self, plan: PlanRef, join_type: JoinType) -> Result<Open, CutError> {
        let (left, right) = match plan.children()[..] {
            [left, right] => (left.clone(), right.clone()),
            _ => {
                return Err(CutError::NotDistributable(format!(
                    "{} has not two inputs",
                    plan.name()
                )));
            }
        };
        let left = self.visit(left)?;
        let left = self.broadcast(left)?;
        let mut open = self.visit(right)?;
        let scans = open.scans;
        open.absorb(&left);
        open.scans = scans; // a repeated scan does not decide the tasks
        open.whole |= emits_left_rows(join_type);
        open.plan = rebuild(plan, vec![left.plan, open.plan])?;
        Ok(open)
    }

    /// Makes a single partition readable by every task.
    fn broadcast(&mut self, left: Open) -> Result<Open, CutError> {
        let repeatable = left.inputs.is_empty()
            && left.partitions() == 1
            && !is_volatile(&left.plan)
            && scans_little(&left.plan)?;
        let is_read =
            left.plan.downcast_ref::<ExchangeReadExec>().is_some_and(|r| r.read() == Read::All);
        if repeatable || is_read {
            return Ok(left);
        }
        self.exchange(left, 1, Read::All)
    }

    /// Ends a stage and starts the next with a read of it, whose partitions are the slots.
    fn exchange(&mut self, open: Open, slots: usize, read: Read) -> Result<Open, CutError> {
        let open = self.with_values(open)?;
        let schema = open.plan.schema();
        let output = Output::Exchange { slots: u32::try_from(slots).unwrap_or(u32::MAX) };
        let stage = self.end_stage(open, output);
        Ok(Open {
            plan: Arc::new(ExchangeReadExec::new(stage, read, slots, schema)),
            inputs: vec![Input { stage, read }],
            whole: false,
            scans: false,
        })
    }

    fn end_stage(&mut self, open: Open, output: Output) -> StageId {
        let id = StageId(u16::try_from(self.stages.len()).unwrap_or(u16::MAX));
        let Open { plan, inputs, whole, scans } = open;
        self.stages.push(StageDraft { id, plan, inputs, whole, scans, output });
        id
    }
}

impl Open {
    fn absorb(&mut self, child: &Open) {
        self.read(&child.inputs);
        self.whole |= child.whole;
        self.scans |= child.scans;
    }

    fn read(&mut self, inputs: &[Input]) {
        for input in inputs {
            if !self.inputs.contains(input) {
                self.inputs.push(input.clone());
            }
        }
    }

    fn partitions(&self) -> usize {
        self.plan.output_partitioning().partition_count()
    }
}

fn rebuild(plan: PlanRef, children: Vec<PlanRef>) -> Result<PlanRef, CutError> {
    let name = plan.name().to_owned();
    // a reader of an exchange knows less of its rows than what it stands for
    replace_children_if_necessary(plan, children).map_err(|e| {
        CutError::NotDistributable(format!("{name} cannot be cut: {}", e.strip_backtrace()))
    })
}

/// A join that would run whole because it emits rows of its collected side, though its other side
/// is in many partitions.
fn join_to_partition(plan: &PlanRef) -> Option<&HashJoinExec> {
    plan.downcast_ref::<HashJoinExec>().filter(|join| {
        join.mode == PartitionMode::CollectLeft
            && emits_left_rows(join.join_type)
            && !join.null_aware
            && join.fetch().is_none()
            && join.right().output_partitioning().partition_count() > 1
    })
}

/// The same join with both sides spread by its keys.
fn partition_join(join: &HashJoinExec, partitions: usize) -> Result<PlanRef, CutError> {
    let (left_keys, right_keys) = join.on.iter().cloned().unzip();
    let spread = |side: &PlanRef, keys| -> Result<PlanRef, CutError> {
        let hash = Partitioning::Hash(keys, partitions);
        Ok(Arc::new(RepartitionExec::try_new(side.clone(), hash)?))
    };
    let sides = vec![spread(join.left(), left_keys)?, spread(join.right(), right_keys)?];
    let partitioned = join.builder().with_partition_mode(PartitionMode::Partitioned);
    Ok(partitioned.with_new_children(sides)?.build_exec()?)
}

/// The input whose slots may be shared by several tasks: each row of it goes through the fragment by
/// itself, into joins as the side that is not collected, up to an aggregate that another stage
/// finishes.
pub(crate) fn splittable_input(plan: &PlanRef, output: Output) -> Option<StageId> {
    let mut node = plan;
    match plan.downcast_ref::<RepartitionExec>() {
        Some(repartition) => node = repartition.input(),
        // a slot for each partition is read in its order
        None if matches!(output, Output::Exchange { slots: 2.. }) => return None,
        None => {}
    }
    loop {
        if let Some(read) = node.downcast_ref::<ExchangeReadExec>() {
            let stage = (read.read() == Read::Slot).then(|| read.stage())?;
            return (reads_of(plan, stage) == 1).then_some(stage);
        }
        let aggregate = node.downcast_ref::<AggregateExec>();
        let passes = node.is::<FilterExec>()
            || node.is::<ProjectionExec>()
            || node.is::<UnnestExec>()
            || node.is::<CooperativeExec>()
            || node.is::<CallExec>()
            || node.is::<ScalarSubqueryExec>()
            || aggregate.is_some_and(|a| *a.mode() == AggregateMode::Partial);
        node = match row_inputs(node)[..] {
            [only] if passes => only,
            [_, right] if join_type(node).is_some_and(|t| !emits_left_rows(t)) => right,
            _ => return None,
        };
    }
}

fn reads_of(plan: &PlanRef, stage: StageId) -> usize {
    let own = plan.downcast_ref::<ExchangeReadExec>().is_some_and(|r| r.stage() == stage);
    usize::from(own) + plan.children().into_iter().map(|c| reads_of(c, stage)).sum::<usize>()
}

/// Whether every task may as well scan the files below it.
fn scans_little(plan: &PlanRef) -> Result<bool, CutError> {
    if plan.is::<DataSourceExec>() {
        let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::default())?;
        return Ok(known.num_rows.get_value().is_none_or(|rows| *rows <= REPEATED_SCAN_ROWS_MAX));
    }
    for child in plan.children() {
        if !scans_little(child)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether it gives other rows each time that it runs.
fn is_volatile(plan: &PlanRef) -> bool {
    let mut found = false;
    let _ = plan.apply(|node| {
        node.apply_expressions(&mut |e| {
            found |= datafusion::physical_expr_common::physical_expr::is_volatile(e);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

/// Whether every task executes all of an operator's left side.
pub(crate) fn collects_left(plan: &PlanRef) -> bool {
    collected_join(plan).is_some()
}

/// The type of a join that collects its left side.
fn collected_join(plan: &PlanRef) -> Option<JoinType> {
    let partitioned = |join: &HashJoinExec| join.mode == PartitionMode::Partitioned;
    match plan.downcast_ref::<HashJoinExec>().is_some_and(partitioned) {
        true => None,
        false => join_type(plan),
    }
}

/// The type of a join that holds its left side and streams the right one.
fn join_type(plan: &PlanRef) -> Option<JoinType> {
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return Some(join.join_type);
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        return Some(*join.join_type());
    }
    plan.is::<CrossJoinExec>().then_some(JoinType::Inner)
}

/// Whether a join emits rows of its left side by themselves, matched or not.
fn emits_left_rows(join_type: JoinType) -> bool {
    match join_type {
        JoinType::Inner
        | JoinType::Right
        | JoinType::RightSemi
        | JoinType::RightAnti
        | JoinType::RightMark => false,
        JoinType::Left
        | JoinType::Full
        | JoinType::LeftSemi
        | JoinType::LeftAnti
        | JoinType::LeftMark => true,
    }
}

/// It is encoded like an aggregate without groups, which has a row even over no rows at all.
fn is_one_empty_grouping_set(plan: &PlanRef) -> bool {
    plan.downcast_ref::<AggregateExec>().is_some_and(|aggregate| {
        let groups = aggregate.group_expr();
        groups.is_empty() && groups.has_grouping_set()
    })
}

/// The optimizer may turn a window around to reuse a sort, and `lag` becomes `lead`; that is
/// decoded as it was before. Nothing but the debug text shows it.
fn is_reversed_window(plan: &PlanRef) -> bool {
    let windows =
        match (plan.downcast_ref::<WindowAggExec>(), plan.downcast_ref::<BoundedWindowAggExec>()) {
            (Some(window), _) => window.window_expr(),
            (_, Some(window)) => window.window_expr(),
            _ => return false,
        };
    format!("{windows:?}").contains("is_reversed: true")
}

/// Operators whose partitions may run in different processes.
fn is_known(plan: &PlanRef) -> bool {
    plan.is::<DataSourceExec>()
        || plan.is::<EmptyExec>()
        || plan.is::<PlaceholderRowExec>()
        || plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<AggregateExec>()
        || plan.is::<SortExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<GlobalLimitExec>()
        || plan.is::<UnionExec>()
        || plan.is::<InterleaveExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<SortMergeJoinExec>()
        || plan.is::<WindowAggExec>()
        || plan.is::<BoundedWindowAggExec>()
        || plan.is::<UnnestExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<CallExec>()
}
