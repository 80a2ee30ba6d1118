//! Functions that say what a row takes are worth as many tasks as their rows take, however few bytes these have:
//! their rows go through an exchange first.

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};

use super::{Call, CallExec, Callables};
use crate::pass_through::{pass_through, shown_by_name};

type PlanRef = Arc<dyn ExecutionPlan>;

/// How long the calls of a task should take.
const TASK_SECONDS: f64 = 30.0;

/// As many as the exchanges of a job that asks for no number have at most.
const TASKS_MAX: usize = 1000;

/// How many tasks calls are worth that take so long.
pub(crate) fn tasks(seconds: f64) -> usize {
    ((seconds / TASK_SECONDS).ceil() as usize).clamp(1, TASKS_MAX)
}

/// Whether one of the functions says what a row takes.
pub(crate) fn any_slow(functions: &Callables) -> bool {
    functions.values().any(|callable| callable.function.cost.is_some())
}

/// Seconds that the functions of a node take for a row.
pub(crate) fn seconds_of_row(node: &CallExec, functions: &Callables) -> f64 {
    seconds(node.calls(), functions)
}

fn seconds(calls: &[Call], functions: &Callables) -> f64 {
    let cost = |name: &str| functions.get(name)?.function.cost.as_ref().map(|cost| cost.seconds);
    calls.iter().filter_map(|call| cost(&call.function)).sum()
}

/// What a planner of stages is told of functions.
#[derive(Debug)]
pub(crate) struct SlowCalls {
    pub(crate) functions: Callables,
    /// How many tasks the calls are worth.
    pub(crate) tasks: usize,
}

impl SlowCalls {
    /// The input of calls, spread if they take long.
    pub(super) fn spread(&self, input: PlanRef, calls: &[Call]) -> PlanRef {
        let is_slow = self.tasks > 1 && seconds(calls, &self.functions) > 0.0;
        match is_slow && input.output_partitioning().partition_count() < self.tasks {
            true => Arc::new(SpreadExec::new(input, self.tasks)),
            false => input,
        }
    }
}

/// Its input in so many partitions, a row in each in turn. It becomes an exchange where the plan is cut.
#[derive(Debug)]
pub(crate) struct SpreadExec {
    input: PlanRef,
    partitions: usize,
    properties: Arc<PlanProperties>,
}

impl SpreadExec {
    fn new(input: PlanRef, partitions: usize) -> Self {
        let properties = PlanProperties::clone(input.properties())
            .with_eq_properties(EquivalenceProperties::new(input.schema()))
            .with_partitioning(Partitioning::UnknownPartitioning(partitions));
        Self { input, partitions, properties: Arc::new(properties) }
    }

    pub(crate) fn input(&self) -> &PlanRef {
        &self.input
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions
    }
}

shown_by_name!(SpreadExec);

impl ExecutionPlan for SpreadExec {
    pass_through!(SpreadExec);

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<PlanRef>) -> Result<PlanRef> {
        let partitions = self.partitions;
        Ok(children.pop().map_or(self as PlanRef, |input| Arc::new(Self::new(input, partitions))))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("an exchange of calls is within a task")
    }
}
