//! Of `ORDER BY … LIMIT` the rows are chosen before functions are called for them, where none is part of the order.
//! They are sorted again above the calls, which may have spread them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Sort};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::CallNode;

/// Puts a sort of which few rows are wanted below calls, too.
#[derive(Debug)]
pub(crate) struct SortBelowCalls;

impl OptimizerRule for SortBelowCalls {
    fn name(&self) -> &'static str {
        "sort_below_calls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Sort(sort) = plan else { return Ok(Transformed::no(plan)) };
        match sort.fetch.map(|_| below(&sort)).transpose()?.flatten() {
            Some(moved) => Ok(Transformed::yes(moved)),
            None => Ok(Transformed::no(LogicalPlan::Sort(sort))),
        }
    }
}

fn below(sort: &Sort) -> Result<Option<LogicalPlan>> {
    let (projection, input) = match sort.input.as_ref() {
        LogicalPlan::Projection(projection) => (Some(projection), projection.input.as_ref()),
        other => (None, other),
    };
    let Some(node) = CallNode::of(input).filter(|node| !is_chosen(&node.input)) else {
        return Ok(None);
    };
    let mut computed: HashMap<Column, Expr> = HashMap::new();
    if let Some(projection) = projection {
        let columns = projection.schema.columns().into_iter().zip(&projection.expr);
        computed.extend(columns.map(|(column, e)| (column, e.clone().unalias())));
    }
    let mut by = sort.expr.clone();
    for key in &mut by {
        let replaced = key.expr.clone().transform_up(|e| {
            let known =
                if let Expr::Column(column) = &e { computed.get(column).cloned() } else { None };
            Ok(known.map_or_else(|| Transformed::no(e), Transformed::yes))
        })?;
        key.expr = replaced.data;
    }
    let known = node.input.schema();
    let is_known = |column: &&Column| known.has_column(column);
    if !by.iter().all(|key| key.expr.column_refs().iter().all(is_known)) {
        return Ok(None);
    }
    let sorted = Sort { expr: by, input: node.input.clone(), fetch: sort.fetch };
    let called = CallNode::plan(LogicalPlan::Sort(sorted), node.calls.clone())?;
    let called = match projection {
        Some(projection) => LogicalPlan::Projection(Projection::try_new_with_schema(
            projection.expr.clone(),
            Arc::new(called),
            projection.schema.clone(),
        )?),
        None => called,
    };
    Ok(Some(LogicalPlan::Sort(Sort { input: Arc::new(called), ..sort.clone() })))
}

/// Whether few rows are left already.
fn is_chosen(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(sort) => sort.fetch.is_some(),
        LogicalPlan::Projection(projection) => is_chosen(&projection.input),
        _ => CallNode::of(plan).is_some_and(|node| is_chosen(&node.input)),
    }
}
