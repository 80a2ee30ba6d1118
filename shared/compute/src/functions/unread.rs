//! Calls whose values nobody reads, or that are for no rows, are not made.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{
    EmptyRelation, Expr, LogicalPlan, Projection, UserDefinedLogicalNodeCore,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::CallNode;
use super::node::ColumnCall;

/// Drops calls below a projection that does not have their columns.
#[derive(Debug)]
pub(crate) struct DropUnread;

impl OptimizerRule for DropUnread {
    fn name(&self) -> &'static str {
        "drop_unread_calls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if let Some(nothing) = CallNode::of(&plan).and_then(without_rows) {
            return Ok(Transformed::yes(nothing));
        }
        let LogicalPlan::Projection(projection) = plan else { return Ok(Transformed::no(plan)) };
        let read = projection.expr.iter().flat_map(names).collect();
        Ok(match without_unread(&projection.input, read)? {
            Some(input) => {
                let projection = Projection::try_new(projection.expr, Arc::new(input))?;
                Transformed::yes(LogicalPlan::Projection(projection))
            }
            None => Transformed::no(LogicalPlan::Projection(projection)),
        })
    }
}

/// What is left of calls for no rows.
fn without_rows(node: &CallNode) -> Option<LogicalPlan> {
    match node.input.as_ref() {
        LogicalPlan::EmptyRelation(input) if !input.produce_one_row => {
            let schema = node.schema().clone();
            Some(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema }))
        }
        _ => None,
    }
}

fn names(expr: &Expr) -> impl Iterator<Item = String> {
    expr.column_refs().into_iter().map(|column| column.name.clone())
}

/// The plan without calls of which no column is read; nothing, if all are.
fn without_unread(plan: &LogicalPlan, mut read: HashSet<String>) -> Result<Option<LogicalPlan>> {
    if let Some(node) = CallNode::of(plan) {
        let is_read = |call: &&ColumnCall| read.contains(call.output.name());
        let kept: Vec<_> = node.calls.iter().filter(is_read).cloned().collect();
        if kept.is_empty() {
            let below = without_unread(&node.input, read)?;
            return Ok(Some(below.unwrap_or_else(|| node.input.as_ref().clone())));
        }
        let columns = kept.iter().flat_map(|call| call.arguments.iter().chain(&call.guard));
        read.extend(columns.map(|column| column.name.clone()));
        let below = without_unread(&node.input, read)?;
        if below.is_none() && kept.len() == node.calls.len() {
            return Ok(None);
        }
        let input = below.unwrap_or_else(|| node.input.as_ref().clone());
        return CallNode::plan(input, kept).map(Some);
    }
    match plan {
        LogicalPlan::Limit(_) | LogicalPlan::Filter(_) | LogicalPlan::Sort(_) => {
            let exprs = plan.expressions();
            read.extend(exprs.iter().flat_map(names));
            let below = without_unread(plan.inputs()[0], read)?;
            below.map(|input| plan.with_new_exprs(exprs, vec![input])).transpose()
        }
        _ => Ok(None),
    }
}
