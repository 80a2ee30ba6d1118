//! `x IN (…)` of values that differ from row to row, as comparisons: DataFusion 55.2 takes a `CASE` for a
//! constant and works it out once.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::map_named;

/// The rule; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct ListsOfExpressions;

impl AnalyzerRule for ListsOfExpressions {
    fn name(&self) -> &'static str {
        "lists_of_expressions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            map_named(plan, |expr| expr.transform_up(|e| Ok(rewrite(e))))
        });
        Ok(rewritten?.data)
    }
}

fn rewrite(e: Expr) -> Transformed<Expr> {
    let differs = |e: &Expr| !e.column_refs().is_empty() || e.contains_outer();
    match e {
        Expr::InList(InList { expr, list, negated })
            if list.iter().any(differs) && !expr.is_volatile() =>
        {
            let equals = list.into_iter().map(|item| expr.as_ref().clone().eq(item));
            let any =
                equals.reduce(Expr::or).unwrap_or_else(|| datafusion::logical_expr::lit(false));
            Transformed::yes(if negated { Expr::Not(Box::new(any)) } else { any })
        }
        other => Transformed::no(other),
    }
}
