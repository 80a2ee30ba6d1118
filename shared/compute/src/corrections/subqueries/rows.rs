//! How many rows a plan has, whatever its tables hold.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Aggregate, Expr, FetchType, Limit, LogicalPlan, SkipType};

pub(super) enum Rows {
    None,
    One,
    /// If a condition over an aggregate's row holds.
    OneIf(Expr, Arc<LogicalPlan>),
    Unknown,
}

pub(super) fn rows_of(plan: &LogicalPlan) -> Rows {
    match plan {
        LogicalPlan::Projection(p) if !has_unnest(&p.expr) => rows_of(&p.input),
        LogicalPlan::Sort(s) => rows_of(&s.input),
        LogicalPlan::SubqueryAlias(a) => rows_of(&a.input),
        LogicalPlan::Aggregate(a) if a.group_expr.is_empty() => Rows::One,
        LogicalPlan::Limit(limit) => match (bounds(limit), rows_of(&limit.input)) {
            (Some((_, Some(0))), _) | (Some((1.., _)), Rows::One) => Rows::None,
            (Some((0, _)), rows) => rows,
            _ => Rows::Unknown,
        },
        LogicalPlan::Filter(filter) => match filter.input.as_ref() {
            LogicalPlan::Aggregate(Aggregate { group_expr, .. }) if group_expr.is_empty() => {
                Rows::OneIf(filter.predicate.clone(), filter.input.clone())
            }
            _ => Rows::Unknown,
        },
        _ => Rows::Unknown,
    }
}

/// What a limit skips and how many it takes, if they are written as numbers.
pub(super) fn bounds(limit: &Limit) -> Option<(usize, Option<usize>)> {
    match (limit.get_skip_type().ok()?, limit.get_fetch_type().ok()?) {
        (SkipType::Literal(skip), FetchType::Literal(fetch)) => Some((skip, fetch)),
        _ => None,
    }
}

fn has_unnest(exprs: &[Expr]) -> bool {
    exprs.iter().any(|e| e.exists(|e| Ok(matches!(e, Expr::Unnest(_)))).unwrap_or(true))
}
