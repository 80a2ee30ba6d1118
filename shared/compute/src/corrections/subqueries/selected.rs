//! `IN`, `EXISTS`, `ANY` and `ALL` among the selected columns: the number of such rows is looked at.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::functions_aggregate::count::count_all;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, Projection, binary_expr, lit,
};

use super::membership::with_values;

pub(super) fn rewrite(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    let asks =
        |e: &Expr| Ok(matches!(e, Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)));
    if !projection.expr.iter().any(|e| e.exists(asks).unwrap_or(false)) {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    let outer = projection.input.schema().clone();
    let names = NamePreserver::new_for_projection();
    let rewrite = |e: Expr| {
        let name = names.save(&e);
        let values = with_values(e, &outer)?.data;
        Ok(name.restore(values.transform_up(counted)?.data))
    };
    let exprs = projection.expr.into_iter().map(rewrite).collect::<Result<Vec<_>>>()?;
    let rewritten = Projection::try_new(exprs, projection.input)?;
    Ok(Transformed::yes(LogicalPlan::Projection(rewritten)))
}

fn counted(e: Expr) -> Result<Transformed<Expr>> {
    let Expr::Exists(Exists { subquery, negated }) = e else { return Ok(Transformed::no(e)) };
    let rows = LogicalPlanBuilder::new_from_arc(subquery.subquery.clone());
    let count = rows.aggregate(Vec::<Expr>::new(), vec![count_all()])?.build()?;
    let count = Expr::ScalarSubquery(subquery.with_plan(Arc::new(count)));
    let op = if negated { Operator::Eq } else { Operator::Gt };
    Ok(Transformed::yes(binary_expr(count, op, lit(0_i64))))
}
