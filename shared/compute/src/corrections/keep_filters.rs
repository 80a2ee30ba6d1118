//! Filters stay above plans with several columns of one name.
//!
//! DataFusion 55.2 finds a filter's columns by their names when it moves the filter below a projection, and
//! takes the first of that name. While filters are moved, such plans lie below a node that lets none
//! through; filters that may be moved were so before, in the logical plan, where names have tables.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};

use crate::pass_through::{pass_through, shown_by_name};

type PlanRef = Arc<dyn ExecutionPlan>;
type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// The rule of DataFusion's that moves filters.
const MOVES_FILTERS: &str = "FilterPushdown";

/// Puts the rules around the one that moves filters.
pub(super) fn add(rules: &mut Rules) {
    if let Some(place) = rules.iter().position(|rule| rule.name() == MOVES_FILTERS) {
        rules.insert(place + 1, Arc::new(KeepFilters { keeps: false }));
        rules.insert(place, Arc::new(KeepFilters { keeps: true }));
    }
}

#[derive(Debug)]
struct KeepFilters {
    /// Or lets them go again.
    keeps: bool,
}

impl PhysicalOptimizerRule for KeepFilters {
    fn optimize(&self, plan: PlanRef, _: &ConfigOptions) -> Result<PlanRef> {
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<Barrier>() {
                Some(barrier) if !self.keeps => Transformed::yes(barrier.input.clone()),
                None if self.keeps && has_namesakes(&node) => {
                    Transformed::yes(Arc::new(Barrier { input: node }) as PlanRef)
                }
                _ => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "keep_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether columns of a node, or of one below it, share a name.
fn has_namesakes(node: &PlanRef) -> bool {
    let shares = |plan: &PlanRef| {
        let (schema, mut seen) = (plan.schema(), HashSet::new());
        schema.fields().iter().any(|field| !seen.insert(field.name().as_str()))
    };
    !node.children().is_empty() && (shares(node) || node.children().into_iter().any(shares))
}

/// What a plan is, but that filters stop here.
#[derive(Debug)]
struct Barrier {
    input: PlanRef,
}

shown_by_name!(Barrier);

impl ExecutionPlan for Barrier {
    pass_through!(Barrier);

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<PlanRef>) -> Result<PlanRef> {
        Ok(children.pop().map_or(self as PlanRef, |input| Arc::new(Self { input })))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a barrier is gone before its plan is executed")
    }
}
