//! A column that is constant in the optional side of an outer join is not constant above the join, where it
//! is NULL in the rows that found none. DataFusion 55.2 takes it for constant, and leaves it out of orders.
//!
//! So an optional side with constants gets a node above it that knows of none.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, PlanProperties};

use crate::pass_through::{pass_through, shown_by_name};

type PlanRef = Arc<dyn ExecutionPlan>;
type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// The rule of DataFusion's that decides on orders.
const DECIDES_ON_ORDERS: &str = "EnsureRequirements";

/// Puts the rule before the one that decides on orders.
pub(super) fn add(rules: &mut Rules) {
    if let Some(place) = rules.iter().position(|rule| rule.name() == DECIDES_ON_ORDERS) {
        rules.insert(place, Arc::new(NoConstants));
    }
}

#[derive(Debug)]
struct NoConstants;

impl PhysicalOptimizerRule for NoConstants {
    fn optimize(&self, plan: PlanRef, _: &ConfigOptions) -> Result<PlanRef> {
        plan.transform_up(|node| {
            let Some(sides) = optional_sides(&node) else { return Ok(Transformed::no(node)) };
            let children = node.children().into_iter().zip(sides);
            let forgets = |(child, is_optional): (&PlanRef, bool)| {
                is_optional && !child.equivalence_properties().constants().is_empty()
            };
            if !children.clone().any(forgets) {
                return Ok(Transformed::no(node));
            }
            let children =
                children.map(|(child, is_optional)| match forgets((child, is_optional)) {
                    true => Arc::new(ForgetConstants::new(child.clone())) as PlanRef,
                    false => child.clone(),
                });
            let children = children.collect();
            replace_children_if_necessary(node, children).map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "no_constants"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Of a join, whether the rows of its left side and those of its right side may be missing.
fn optional_sides(node: &PlanRef) -> Option<[bool; 2]> {
    let join_type = node
        .downcast_ref::<HashJoinExec>()
        .map(|j| *j.join_type())
        .or_else(|| node.downcast_ref::<NestedLoopJoinExec>().map(|j| *j.join_type()))
        .or_else(|| node.downcast_ref::<SortMergeJoinExec>().map(|j| j.join_type()))?;
    Some(match join_type {
        JoinType::Left => [false, true],
        JoinType::Right => [true, false],
        JoinType::Full => [true, true],
        _ => return None,
    })
}

/// What its input is, but that nothing is known of columns that are the same in all rows.
#[derive(Debug)]
pub(crate) struct ForgetConstants {
    input: PlanRef,
    properties: Arc<PlanProperties>,
}

impl ForgetConstants {
    pub(crate) fn new(input: PlanRef) -> Self {
        let orderings = input.equivalence_properties().oeq_class().iter().cloned();
        let known = EquivalenceProperties::new_with_orderings(input.schema(), orderings);
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(known);
        Self { input, properties: Arc::new(properties) }
    }
}

shown_by_name!(ForgetConstants);

impl ExecutionPlan for ForgetConstants {
    pass_through!(ForgetConstants);

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<PlanRef>) -> Result<PlanRef> {
        Ok(children.pop().map_or(self as PlanRef, |input| Arc::new(Self::new(input))))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
