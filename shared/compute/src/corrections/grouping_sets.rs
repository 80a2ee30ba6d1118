//! `ROLLUP`, `CUBE` and `GROUPING SETS` over more than columns, and over nothing.
//!
//! - What is grouped by becomes a column below the aggregate: DataFusion 55.2 loses its count of columns
//!   where the type of an element of a set is coerced.
//! - A total is there without any row. DataFusion drops it where it sees that there are none, and lets a
//!   filter without columns, which is true or false of all groups, go below the aggregate that makes it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{
    Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, Projection,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

type Rules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;

/// DataFusion's rules that know nothing of totals.
const FORGET_TOTALS: [&str; 2] = ["propagate_empty_relation", "push_down_filter"];

/// Groups by columns, in a plan as it comes from SQL.
pub(super) fn by_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Aggregate(aggregate) => columns_below(aggregate),
            other => Ok(Transformed::no(other)),
        })?
        .data)
}

fn columns_below(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let elements: Vec<Expr> = match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(set)] => set.distinct_expr().into_iter().cloned().collect(),
        _ => vec![],
    };
    let computed: Vec<_> = elements.into_iter().filter(|e| !matches!(e, Expr::Column(_))).collect();
    if computed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let column = |e: &Expr| Expr::Column(Column::new_unqualified(e.schema_name().to_string()));
    let named = computed.iter().map(|e| e.clone().alias(e.schema_name().to_string()));
    let all = aggregate.input.schema().columns().into_iter().map(Expr::Column);
    let columns = all.chain(named).collect();
    let input = Projection::try_new(columns, aggregate.input.clone())?;
    let by_column = |e: Expr| {
        e.transform_down(|e| match computed.contains(&e) {
            true => Ok(Transformed::yes(column(&e))),
            false => Ok(Transformed::no(e)),
        })
    };
    let groups = aggregate.group_expr.into_iter().map(|e| Ok(by_column(e)?.data));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    // grouping(e) is of an element; others take the row's own columns
    let of_grouping = |e: Expr| {
        e.transform_down(|e| match e {
            Expr::AggregateFunction(mut f) if f.func.name() == "grouping" => {
                let args = f.params.args.into_iter().map(|e| Ok(by_column(e)?.data));
                f.params.args = args.collect::<Result<_>>()?;
                Ok(Transformed::yes(Expr::AggregateFunction(f)))
            }
            other => Ok(Transformed::no(other)),
        })
    };
    let schema = aggregate.schema.clone();
    let values = aggregate.aggr_expr.into_iter().map(|e| {
        let name = e.schema_name().to_string();
        let rewritten = of_grouping(e)?;
        Ok(if rewritten.transformed { rewritten.data.alias(name) } else { rewritten.data })
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let input = Arc::new(LogicalPlan::Projection(input));
    let grouped = LogicalPlanBuilder::new_from_arc(input).aggregate(groups, values)?.build()?;
    debug_assert_eq!(grouped.schema().fields().len(), schema.fields().len());
    Ok(Transformed::yes(grouped))
}

/// Puts our rules around those that know nothing of totals.
pub(super) fn keep_totals(rules: Rules) -> Rules {
    let wrap = |rule: Arc<dyn OptimizerRule + Send + Sync>| match rule.name() {
        name if FORGET_TOTALS.contains(&name) => Arc::new(KeepTotals { rule }),
        _ => rule,
    };
    rules.into_iter().map(wrap).collect()
}

/// A rule that passes over aggregates with a total, and filters above them.
#[derive(Debug)]
struct KeepTotals {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
}

impl OptimizerRule for KeepTotals {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let below = match &plan {
            LogicalPlan::Filter(filter) => filter.input.as_ref(),
            other => other,
        };
        match below {
            LogicalPlan::Aggregate(aggregate) if has_total(aggregate) => Ok(Transformed::no(plan)),
            _ => self.rule.rewrite(plan, config),
        }
    }
}

fn has_total(aggregate: &Aggregate) -> bool {
    match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        [Expr::GroupingSet(_)] => true,
        _ => false,
    }
}
