//! A function of groups is one of lists: the values of a group are collected, and the function is called above
//! the aggregate, with a list for each group.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, lit};
use tidemill_protocol::function::OnNull;

use super::declared::aggregate;
use super::lift::{GROUP, Names};
use super::node::{CallNode, ColumnCall};

/// Lifts the functions of an aggregate.
pub(super) fn lift(plan: LogicalPlan, names: &mut Names) -> Result<LogicalPlan> {
    let LogicalPlan::Aggregate(node) = plan else { return Ok(plan) };
    let schema = node.schema.clone();
    let groups = schema.fields().len() - node.aggr_expr.len();
    let (mut calls, mut outputs, mut exprs) = (vec![], vec![], vec![]);
    for (number, expr) in node.aggr_expr.into_iter().enumerate() {
        let mut called = None;
        let collected = expr.transform_up(|e| match e {
            Expr::AggregateFunction(call) => Ok(match aggregate(&call.func).cloned() {
                Some(callable) => {
                    let collected = collected(call.params, callable.function.on_null);
                    called = Some(callable);
                    Transformed::yes(collected)
                }
                None => Transformed::no(Expr::AggregateFunction(call)),
            }),
            other => Ok(Transformed::no(other)),
        })?;
        let (table, field) = schema.qualified_field(groups + number);
        let known = Column::new(table.cloned(), field.name());
        match called {
            Some(callable) => {
                let (group, output) = (names.next(GROUP), names.output());
                exprs.push(collected.data.unalias().alias(&group));
                let group = vec![Column::new_unqualified(group)];
                calls.push(ColumnCall::new(&callable, group, None, output.clone()));
                let made = Expr::Column(Column::new_unqualified(output));
                outputs.push(made.alias_qualified(known.relation, known.name));
            }
            None => {
                exprs.push(collected.data);
                outputs.push(Expr::Column(known));
            }
        }
    }
    let aggregated =
        LogicalPlan::Aggregate(Aggregate::try_new(node.input, node.group_expr, exprs)?);
    if calls.is_empty() {
        return Ok(aggregated);
    }
    let grouped = schema.columns().into_iter().take(groups).map(Expr::Column);
    let exprs = grouped.chain(outputs).collect();
    let called = CallNode::plan(aggregated, calls)?;
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(called))?))
}

/// The arguments of all rows of a group, as a list.
fn collected(params: AggregateFunctionParams, on_null: OnNull) -> Expr {
    let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
    let mut conditions: Vec<_> = filter.into_iter().map(|f| *f).collect();
    if on_null == OnNull::Null {
        conditions.extend(args.iter().cloned().map(Expr::is_not_null));
    }
    let named = args.into_iter().enumerate().flat_map(|(n, arg)| [lit(format!("a{n}")), arg]);
    let row = named_struct(named.collect());
    let filter = conjunction(conditions).map(Box::new);
    Expr::AggregateFunction(AggregateFunction::new_udf(
        array_agg_udaf(),
        vec![row],
        distinct,
        filter,
        order_by,
        null_treatment,
    ))
}
