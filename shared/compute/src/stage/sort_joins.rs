use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::{LexOrdering, PhysicalExprRef, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::expressions::Column;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

type PlanRef = Arc<dyn ExecutionPlan>;

/// Makes every hash join of partitioned sides a merge of sorted sides: slower, but both sides can
/// spill, where a hash join has to hold one of them.
pub(crate) fn sort_joins(plan: PlanRef) -> Result<PlanRef> {
    let sorted = plan.transform_up(|node| match node.downcast_ref::<HashJoinExec>() {
        Some(join) if can_be_merged(join) => Ok(Transformed::yes(merge(join)?)),
        _ => Ok(Transformed::no(node)),
    });
    sorted.data()
}

fn can_be_merged(join: &HashJoinExec) -> bool {
    // a collected side is read by every task, and one that is null-aware looks at all of its rows
    join.mode == PartitionMode::Partitioned && !join.null_aware && join.fetch().is_none()
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
