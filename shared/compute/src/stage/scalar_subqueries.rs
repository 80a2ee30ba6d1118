//! Scalar subqueries: a value that a stage of its own finds, and that every task with an expression
//! over it reads.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;

type PlanRef = Arc<dyn ExecutionPlan>;

/// The children that the rows of an operator come from: of the others it takes only values.
pub(crate) fn row_inputs(plan: &PlanRef) -> Vec<&PlanRef> {
    match plan.downcast_ref::<ScalarSubqueryExec>() {
        Some(values) => vec![values.input()],
        None => plan.children(),
    }
}

/// Whether an expression of a plan needs a value that the plan does not find itself.
///
/// # Errors
/// Those of an operator that does not show its expressions.
pub(super) fn needs_values(plan: &PlanRef) -> Result<bool> {
    let mut needs = false;
    plan.apply(|node| {
        if node.is::<ScalarSubqueryExec>() {
            return Ok(TreeNodeRecursion::Jump);
        }
        node.apply_expressions(&mut |e| {
            needs |= needs_value(e)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if needs { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(needs)
}

/// The same of one expression.
pub(super) fn needs_value(expression: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    expression.exists(|e| Ok(e.is::<ScalarSubqueryExpr>()))
}
