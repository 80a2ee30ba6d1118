//! Keeps a join without keys from reading its left side a second time.
//!
//! Where that side does not fit the memory, `NestedLoopJoinExec` of DataFusion 55.2 executes it again
//! to spill it. A scan whose partitions share their files has none left then, a repartition panics,
//! and joins that emit rows of the left side emit them once for each partition. So the second
//! execution is an error that says that the memory does not suffice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, resources_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};

use crate::pass_through::{pass_through, shown_by_name};

type PlanRef = Arc<dyn ExecutionPlan>;

/// Guards the left side of every join without keys, and lets others run between its batches.
pub(crate) fn execute_once(plan: PlanRef) -> Result<PlanRef> {
    let guard = |node: PlanRef| match node.children()[..] {
        [left, right] if node.is::<NestedLoopJoinExec>() => {
            let sides = vec![ExecuteOnce::of(left), right.clone()];
            let join = replace_children_if_necessary(node, sides)?;
            // of one batch it may make millions: between them its task can be stopped
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as PlanRef))
        }
        _ => Ok(Transformed::no(node)),
    };
    plan.transform_up(guard).data()
}

#[derive(Debug)]
struct ExecuteOnce {
    input: PlanRef,
    executed: AtomicBool,
}

impl ExecuteOnce {
    fn of(input: &PlanRef) -> PlanRef {
        Arc::new(Self { input: input.clone(), executed: AtomicBool::new(false) })
    }
}

shown_by_name!(ExecuteOnce);

impl ExecutionPlan for ExecuteOnce {
    pass_through!(ExecuteOnce);

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<PlanRef>) -> Result<PlanRef> {
        Ok(children.first().map_or(self as PlanRef, Self::of))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        // a join collects one partition
        if self.executed.swap(true, Ordering::Relaxed) {
            return resources_err!("the smaller side of a join without keys is too large");
        }
        self.input.execute(partition, context)
    }
}
