//! `SELECT coalesce(n, 0) AS n FROM t ORDER BY n IS NULL`: within an expression a name is the table's column, and
//! alone it is the result's. DataFusion takes the result's for both, so what would be ordered otherwise is
//! refused.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

/// # Errors
/// An order refers to a name that is both.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Sort(sort) = node
            && let Some(projection) = projection_of(&sort.input)
        {
            for order in &sort.expr {
                check_order(&order.expr, projection)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn projection_of(plan: &LogicalPlan) -> Option<&Projection> {
    match plan {
        LogicalPlan::Projection(projection) => Some(projection),
        LogicalPlan::Distinct(distinct) => projection_of(distinct.input()),
        _ => None,
    }
}

fn check_order(order: &Expr, projection: &Projection) -> Result<()> {
    if matches!(order, Expr::Column(_)) {
        return Ok(());
    }
    for column in order.column_refs().into_iter().filter(|c| c.relation.is_none()) {
        let hides = |e: &Expr| match e {
            Expr::Alias(alias) => {
                let is_itself = matches!(&*alias.expr, Expr::Column(c) if c.name == column.name);
                alias.name == column.name && !is_itself
            }
            _ => false,
        };
        let is_column = projection.input.schema().fields().iter().any(|f| *f.name() == column.name);
        if is_column && projection.expr.iter().any(hides) {
            return plan_err!(
                "{0} in ORDER BY is a column of the table and a name of the result: give the result's \
                 another name, or order by {0} alone",
                column.name
            );
        }
    }
    Ok(())
}
