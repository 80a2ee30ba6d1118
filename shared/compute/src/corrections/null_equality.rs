//! `a IS NOT DISTINCT FROM b` between two tables, as equalities that know nothing of nulls.
//!
//! DataFusion 55.2 has one flag for all keys of a join, whether nulls are equal, and loses it where it moves
//! or merges joins: keys of both kinds, or a cross join beside, gave or took rows.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::has_expr;

fn may_change(e: &Expr) -> bool {
    matches!(e, Expr::BinaryExpr(e) if e.op == Operator::IsNotDistinctFrom)
}

/// The rule; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct NullEquality;

impl AnalyzerRule for NullEquality {
    fn name(&self) -> &'static str {
        "null_equality"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Filter(_) | LogicalPlan::Join(_) if has_expr(&plan, may_change) => {
                let schema = merge_schema(&plan.inputs());
                plan.map_expressions(|e| e.transform_up(|e| Ok(rewrite(e, &schema))))
            }
            other => Ok(Transformed::no(other)),
        });
        Ok(rewritten?.data)
    }
}

fn rewrite(e: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::IsNotDistinctFrom, right }) = &e else {
        return Transformed::no(e);
    };
    let has_columns = |e: &Expr| !e.column_refs().is_empty() || e.contains_outer();
    if !has_columns(left) || !has_columns(right) {
        return Transformed::no(e);
    }
    let some = left.get_type(schema).ok().and_then(|t| ScalarValue::new_default(&t).ok());
    let Some(some) = some.filter(|s| !s.is_null()) else { return Transformed::no(e) };
    // null is as good as some value where both are null or neither is
    let known = |e: &Expr| coalesce(vec![e.clone(), lit(some.clone())]);
    let is_null = |e: &Expr| e.clone().is_null();
    let equal = known(left).eq(known(right)).and(is_null(left).eq(is_null(right)));
    Transformed::yes(equal)
}
