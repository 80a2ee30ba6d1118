//! `f(a) IN (SELECT …)`: the value is a column before the subquery becomes a join, which would take it apart.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{InSubquery, SetComparison};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};

use super::declared::scalar;

/// Columns of the values.
const OPERAND: &str = "__operand_";

/// Gives names to values with calls that are compared with the rows of subqueries.
pub(crate) fn name_operands(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut count = 0;
    let named = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(filter) if filter.predicate.exists(|e| Ok(is_compared(e)))? => {
            Ok(Transformed::yes(name(filter, &mut count)?))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(named?.data)
}

fn is_compared(expr: &Expr) -> bool {
    let (Expr::InSubquery(InSubquery { expr, .. })
    | Expr::SetComparison(SetComparison { expr, .. })) = expr
    else {
        return false;
    };
    let calls = expr.exists(|e| Ok(scalar(e).is_some())).unwrap_or(false);
    calls && !expr.contains_outer()
}

fn name(filter: Filter, count: &mut usize) -> Result<LogicalPlan> {
    let columns: Vec<_> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut exprs = columns.clone();
    let predicate = filter.predicate.transform_up(|mut e| {
        if !is_compared(&e) {
            return Ok(Transformed::no(e));
        }
        if let Expr::InSubquery(InSubquery { expr, .. })
        | Expr::SetComparison(SetComparison { expr, .. }) = &mut e
        {
            *count += 1;
            let name = format!("{OPERAND}{count}");
            let column = Expr::Column(Column::new_unqualified(&name));
            exprs.push(std::mem::replace(expr.as_mut(), column).alias(name));
        }
        Ok(Transformed::yes(e))
    })?;
    let input = LogicalPlan::Projection(Projection::try_new(exprs, filter.input)?);
    let filtered = LogicalPlan::Filter(Filter::try_new(predicate.data, Arc::new(input))?);
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(filtered))?))
}
