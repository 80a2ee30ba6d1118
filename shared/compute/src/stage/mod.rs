//! Stages: the parts of a physical plan between its exchanges.

mod copy_texts;
mod cut;
mod exchange_read;
mod execute_once;
mod fragment;
mod make_spillable;
mod scalar_subqueries;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;

pub(crate) use cut::{CutError, StageDraft, collects_left, cut, splittable_input};
pub(crate) use exchange_read::{ExchangeReadExec, ExchangeSource};
pub(crate) use fragment::{Fragment, Part, decode, encode};
pub(crate) use scalar_subqueries::row_inputs;

/// The plan as a task runs it. `spills` has what can spill in the place of what is faster.
pub(crate) fn runnable(
    plan: Arc<dyn ExecutionPlan>,
    spills: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = if spills { make_spillable::make_spillable(plan)? } else { plan };
    execute_once::execute_once(copy_texts::copy_texts(plan)?)
}
