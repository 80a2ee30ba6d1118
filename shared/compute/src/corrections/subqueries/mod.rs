//! Subqueries whose answer DataFusion 55.2 gets wrong, said another way.
//!
//! - `EXISTS` over an aggregate without groups: that is always one row, and DataFusion answers as if it
//!   were none where no row of the subquery correlates
//!   ([#24960](https://github.com/apache/datafusion/issues/24960)).
//! - a correlated `IN` over such an aggregate: the same row, compared.
//! - a correlated `NOT IN` in a condition: a null on either side of one comparison makes it unknown, which
//!   DataFusion's anti join does not see ([#25336](https://github.com/apache/datafusion/issues/25336)).
//! - `IN` inside of another expression: its unknown is false to DataFusion's mark join.
//! - `IN` and `EXISTS` among the selected columns, which DataFusion refuses.
//! - `> ANY` and `> ALL` over a table that is around them, too: both columns were one to it.
//! - a subquery without rows whose column is never null: `(SELECT 1 FROM t) IS NULL` was false.
//! - `EXISTS (… OFFSET n)` that is correlated: the offset is dropped.

mod membership;
mod possibly_null;
mod rows;
mod selected;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::{
    Expr, Limit, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr, lit,
};

pub(super) use possibly_null::POSSIBLY_NULL;
use rows::{Rows, bounds, rows_of};

use super::{has_expr, map_named};

/// Rewrites the subqueries of a plan as it comes from SQL.
pub(super) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(rewrite_node)?.data)
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let is_subquery = |e: &Expr| {
        matches!(
            e,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
        )
    };
    if !has_expr(&plan, is_subquery) {
        return Ok(Transformed::no(plan));
    }
    let plan = map_named(plan, |expr| expr.transform_up(rewrite_value))?;
    plan.transform_data(|plan| match plan {
        LogicalPlan::Filter(filter) => membership::rewrite(filter),
        LogicalPlan::Projection(projection) => selected::rewrite(projection),
        other => Ok(Transformed::no(other)),
    })
}

/// What holds wherever a subquery stands.
fn rewrite_value(e: Expr) -> Result<Transformed<Expr>> {
    Ok(match e {
        Expr::Exists(exists) => rewrite_exists(exists)?,
        Expr::InSubquery(e) if is_correlated(&e.subquery) => match rows_of(&e.subquery.subquery) {
            Rows::One => {
                let op = if e.negated { Operator::NotEq } else { Operator::Eq };
                let row = Expr::ScalarSubquery(e.subquery);
                Transformed::yes(binary_expr(*e.expr, op, row))
            }
            _ => Transformed::no(Expr::InSubquery(e)),
        },
        Expr::ScalarSubquery(subquery) if seems_never_null(&subquery) => {
            let value = Expr::ScalarSubquery(subquery);
            Transformed::yes(POSSIBLY_NULL.call(vec![value]))
        }
        other => Transformed::no(other),
    })
}

/// Whether DataFusion takes it for a value that is always there, though its rows may not be.
fn seems_never_null(subquery: &Subquery) -> bool {
    let (_, field) = subquery.subquery.schema().qualified_field(0);
    !field.is_nullable() && !matches!(rows_of(&subquery.subquery), Rows::One)
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

fn rewrite_exists(exists: Exists) -> Result<Transformed<Expr>> {
    let Exists { subquery, negated } = exists;
    let plan = without_limit(subquery.subquery.clone());
    match rows_of(&plan) {
        Rows::One => return Ok(Transformed::yes(lit(!negated))),
        Rows::None => return Ok(Transformed::yes(lit(negated))),
        Rows::OneIf(condition, aggregate) => {
            let row = LogicalPlanBuilder::new_from_arc(aggregate).project([condition])?.build()?;
            let row = Box::new(Expr::ScalarSubquery(subquery.with_plan(Arc::new(row))));
            let exists = if negated { Expr::IsNotTrue(row) } else { Expr::IsTrue(row) };
            return Ok(Transformed::yes(exists));
        }
        Rows::Unknown => {}
    }
    let has_page = matches!(plan.as_ref(), LogicalPlan::Limit(_));
    if has_page && is_correlated(&subquery) {
        return plan_err!(
            "EXISTS over a subquery with OFFSET that refers to its surroundings is not supported: \
             compare (SELECT count(*) …) with the offset"
        );
    }
    let same = Arc::ptr_eq(&plan, &subquery.subquery);
    let exists = Expr::Exists(Exists { subquery: subquery.with_plan(plan), negated });
    Ok(if same { Transformed::no(exists) } else { Transformed::yes(exists) })
}

/// A limit of one and more rows does not change whether there are any.
fn without_limit(plan: Arc<LogicalPlan>) -> Arc<LogicalPlan> {
    match plan.as_ref() {
        LogicalPlan::Limit(limit) if keeps_one(limit) => without_limit(limit.input.clone()),
        _ => plan,
    }
}

fn keeps_one(limit: &Limit) -> bool {
    matches!(bounds(limit), Some((0, None | Some(1..))))
}
