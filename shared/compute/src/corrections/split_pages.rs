//! A page (`LIMIT n OFFSET m`) below an order keeps its rows.
//!
//! DataFusion 55.2 lets an order above a page take over the sort below it, with the page's own `n` as
//! its limit instead of `m + n` ([#24958](https://github.com/apache/datafusion/issues/24958)), or moves
//! that order below a page without `n`. While orders are moved, a page is therefore two limits: the
//! first `m + n` rows, and of them all but `m`, as a limit of so many rows that it never ends.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::limit::GlobalLimitExec;

type Rules = Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>;

/// More rows than there are.
const ENDLESS_ROWS: usize = usize::MAX / 4;

/// The rule of DataFusion's that moves orders.
const MOVES_ORDERS: &str = "EnsureRequirements";

/// Puts the rules around the one that moves orders.
pub(super) fn add(rules: &mut Rules) {
    let place = rules.iter().position(|rule| rule.name() == MOVES_ORDERS);
    let place = place.unwrap_or(rules.len().saturating_sub(1));
    rules.insert(place + 1, Arc::new(SplitPages { splits: false }));
    rules.insert(0, Arc::new(SplitPages { splits: true }));
}

#[derive(Debug)]
struct SplitPages {
    /// Or puts them together again; a later rule makes one limit of the two.
    splits: bool,
}

impl PhysicalOptimizerRule for SplitPages {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rewrite = |node: Arc<dyn ExecutionPlan>| {
            let page = node.downcast_ref::<GlobalLimitExec>();
            let rewritten = page.and_then(|page| if self.splits { split(page) } else { end(page) });
            Ok(rewritten.map_or(Transformed::no(node), Transformed::yes))
        };
        plan.transform_up(rewrite).data()
    }

    fn name(&self) -> &'static str {
        "split_pages"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn split(page: &GlobalLimitExec) -> Option<Arc<dyn ExecutionPlan>> {
    let skip = page.skip();
    if skip == 0 {
        return None;
    }
    let mut input = page.input().clone();
    if let Some(fetch) = page.fetch() {
        input = Arc::new(GlobalLimitExec::new(input, 0, skip.checked_add(fetch)));
    }
    Some(Arc::new(GlobalLimitExec::new(input, skip, Some(ENDLESS_ROWS))))
}

fn end(page: &GlobalLimitExec) -> Option<Arc<dyn ExecutionPlan>> {
    let is_endless = page.fetch() == Some(ENDLESS_ROWS);
    is_endless
        .then(|| Arc::new(GlobalLimitExec::new(page.input().clone(), page.skip(), None)) as Arc<_>)
}
