//! Totals are there without any row: those of `ROLLUP`, `CUBE` and `GROUPING SETS`, and an aggregate without
//! groups.
//!
//! DataFusion 55.2 lets a filter without columns, which is true or false of all groups, go below the
//! aggregate: there it takes the rows, and above it the total stays.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

type Rules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;

/// The rule of DataFusion's that moves filters.
const MOVES_FILTERS: &str = "push_down_filter";

/// Puts ours around the rule that moves filters.
pub(super) fn add(rules: &mut Rules) {
    if let Some(rule) = rules.iter_mut().find(|rule| rule.name() == MOVES_FILTERS) {
        *rule = Arc::new(KeepTotals { rule: rule.clone() });
    }
}

/// The rule, but that it passes over filters above a total.
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
        match &plan {
            LogicalPlan::Filter(filter) if is_with_total(&filter.input) => {
                Ok(Transformed::no(plan))
            }
            _ => self.rule.rewrite(plan, config),
        }
    }
}

fn is_with_total(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Aggregate(aggregate) if has_total(aggregate))
}

fn has_total(aggregate: &Aggregate) -> bool {
    match aggregate.group_expr.as_slice() {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        [] | [Expr::GroupingSet(_)] => true,
        _ => false,
    }
}
