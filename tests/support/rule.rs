//! What a statement says of the order and the number of its rows.

use datafusion::logical_expr::{Expr, FetchType, Limit, LogicalPlan, Projection, SkipType, Sort};

use super::compare::Rule;

/// The rule for the rows of a plan, and the plan without its limit.
///
/// Only keys that are columns of the result can be looked at, up to the first that is none.
pub(crate) fn rule(plan: &LogicalPlan) -> (Rule, LogicalPlan) {
    if let LogicalPlan::Limit(limit) = plan {
        let (inner, all) = rule(&limit.input);
        // a limit of a limit keeps its own only if the inner one is part of the plan
        return match (inner.skip, inner.fetch, bounds(limit)) {
            (0, None, Some((skip, fetch))) => (inner.limited(skip, fetch), all),
            _ => (Rule::default(), plan.clone()),
        };
    }
    let keys = match plan {
        LogicalPlan::Sort(sort) => keys(sort, None),
        LogicalPlan::Projection(projection) => match &*projection.input {
            LogicalPlan::Sort(sort) => keys(sort, Some(projection)),
            _ => vec![],
        },
        _ => vec![],
    };
    (Rule::ordered_by(&keys), plan.clone())
}

fn bounds(limit: &Limit) -> Option<(usize, Option<usize>)> {
    let (Ok(SkipType::Literal(skip)), Ok(FetchType::Literal(fetch))) =
        (limit.get_skip_type(), limit.get_fetch_type())
    else {
        return None;
    };
    Some((skip, fetch))
}

fn keys(sort: &Sort, projection: Option<&Projection>) -> Vec<usize> {
    let place = |key: &Expr| match projection {
        Some(projection) => {
            projection.expr.iter().position(|e| e.clone().unalias() == key.clone().unalias())
        }
        None => match key {
            Expr::Column(column) => sort.input.schema().maybe_index_of_column(column),
            _ => None,
        },
    };
    sort.expr.iter().map_while(|key| place(&key.expr)).collect()
}
