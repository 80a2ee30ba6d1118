use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::{LexOrdering, PhysicalExprRef, PhysicalSortExpr};
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

type PlanRef = Arc<dyn ExecutionPlan>;

/// Replaces what has to hold its rows in memory by what can spill, which is slower: every hash join
/// whose sides meet once by a merge of sorted sides, and a sort that keeps its first rows only by
/// one that keeps all.
pub(crate) fn make_spillable(plan: PlanRef) -> Result<PlanRef> {
    let spillable = plan.transform_up(|node| {
        if let Some(join) = node.downcast_ref::<HashJoinExec>().filter(|j| can_be_merged(j)) {
            return Ok(Transformed::yes(merge(join)?));
        }
        match node.downcast_ref::<SortExec>() {
            Some(sort) if sort.fetch().is_some() => Ok(Transformed::yes(sort_all(sort))),
            _ => Ok(Transformed::no(node)),
        }
    });
    spillable.data()
}

fn sort_all(sort: &SortExec) -> PlanRef {
    let all = SortExec::new(sort.expr().clone(), sort.input().clone())
        .with_preserve_partitioning(sort.preserve_partitioning());
    Arc::new(LocalLimitExec::new(Arc::new(all), sort.fetch().unwrap_or(usize::MAX)))
}

fn can_be_merged(join: &HashJoinExec) -> bool {
    let partitions = |side: &PlanRef| side.output_partitioning().partition_count();
    // a collected side meets each partition of the other one
    let meets_once = join.mode == PartitionMode::Partitioned
        || (partitions(join.left()) == 1 && partitions(join.right()) == 1);
    // a join that is null-aware looks at all rows of its left side
    meets_once && !join.null_aware && join.fetch().is_none()
}

fn merge(join: &HashJoinExec) -> Result<PlanRef> {
    let (left_keys, right_keys): (Vec<_>, Vec<_>) = join.on.iter().cloned().unzip();
    let merged = SortMergeJoinExec::try_new(
        sorted(join.left(), left_keys),
        sorted(join.right(), right_keys),
        join.on.clone(),
        join.filter.clone(),
        join.join_type,
        vec![SortOptions::default(); join.on.len()],
        join.null_equality,
    )?;
    let merged: PlanRef = Arc::new(merged);
    let Some(places) = &join.projection else { return Ok(merged) };
    let schema = merged.schema();
    let columns = places.iter().map(|place| {
        let name = schema.field(*place).name();
        (Arc::new(Column::new(name, *place)) as PhysicalExprRef, name.clone())
    });
    let columns: Vec<_> = columns.collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, merged)?))
}

fn sorted(side: &PlanRef, keys: Vec<PhysicalExprRef>) -> PlanRef {
    let order = keys.into_iter().map(|key| PhysicalSortExpr::new(key, SortOptions::default()));
    match LexOrdering::new(order) {
        Some(order) => {
            Arc::new(SortExec::new(order, side.clone()).with_preserve_partitioning(true))
        }
        None => side.clone(),
    }
}
