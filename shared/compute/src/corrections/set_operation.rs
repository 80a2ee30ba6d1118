//! `INTERSECT ALL` and `EXCEPT ALL`.
//!
//! DataFusion plans them as a semi and an anti join, which loses how often a row occurs. Numbering
//! the equal rows of both sides and joining on the number too keeps it: the third `1` of the left
//! side meets the third `1` of the right side or none.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinConstraint, JoinType, NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder, col,
};

const LEFT_NUMBER: &str = "__left_number";
const RIGHT_NUMBER: &str = "__right_number";

/// Makes the set operations of a plan, as it comes from SQL, keep the count of each row.
pub(crate) fn keep_counts(plan: LogicalPlan) -> Result<LogicalPlan> {
    let numbered = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if is_all(&join) => Ok(Transformed::yes(number(join)?)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(numbered.data)
}

/// Only set operations join nulls with nulls before a plan is optimized; without `ALL` the left
/// side is distinct, and numbers would change nothing.
fn is_all(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && !matches!(&*join.left, LogicalPlan::Distinct(Distinct::All(_)))
}

fn number(join: Join) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    let (left_keys, right_keys) = join.on.iter().cloned().unzip();
    let left = with_number(join.left, left_keys, LEFT_NUMBER)?;
    let right = with_number(join.right, right_keys, RIGHT_NUMBER)?;
    let mut on = join.on;
    on.push((col(LEFT_NUMBER), col(RIGHT_NUMBER)));
    let (filter, join_type) = (join.filter, join.join_type);
    let (constraint, nulls) = (JoinConstraint::On, NullEquality::NullEqualsNull);
    let joined = Join::try_new(left, right, on, filter, join_type, constraint, nulls, false)?;
    LogicalPlanBuilder::from(LogicalPlan::Join(joined)).project(columns)?.build()
}

fn with_number(plan: Arc<LogicalPlan>, keys: Vec<Expr>, name: &str) -> Result<Arc<LogicalPlan>> {
    let number = row_number().partition_by(keys).build()?.alias(name);
    let plan = LogicalPlanBuilder::from(Arc::unwrap_or_clone(plan)).window([number])?.build()?;
    Ok(Arc::new(plan))
}
