//! Which file an error is about.
//!
//! The readers say what is wrong in a file but not in which. After a failure each file of the
//! task is read alone until one fails: slow, but only once, and the run is over anyway.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect};

use crate::error::{Failure, sentence};
use crate::plan::EnginePlan;
use crate::table::{probe, title};

/// At most this many bytes are read again.
const MAX_PROBED_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Turns an error of reading into a sentence that names the file; leaves other errors alone.
pub(crate) async fn name_the_file(
    plan: &EnginePlan,
    context: &Arc<TaskContext>,
    error: DataFusionError,
) -> Failure {
    let failure = Failure::from(error);
    if let Some(unreadable) = failure.unreadable() {
        return Failure::Refused(unreadable.sentence());
    }
    if failure.store_error().is_some() || !is_about_data(&failure) {
        return failure;
    }
    let mut left = MAX_PROBED_BYTES;
    for (number, table) in plan.tables.iter().enumerate() {
        for (file, pinned) in table.files.iter().enumerate() {
            let Some(rest) = left.checked_sub(pinned.size) else { return failure };
            left = rest;
            let Ok(scan) = probe(&context.runtime_env(), table, number, file) else { continue };
            let Err(e) = drain(scan, context).await else { continue };
            let at_fault = Failure::from(e);
            if let Some(unreadable) = at_fault.unreadable() {
                return Failure::Refused(unreadable.sentence());
            }
            if at_fault.store_error().is_some() {
                return at_fault;
            }
            let Failure::DataFusion(e) = at_fault else { return at_fault };
            return Failure::Refused(format!(
                "{} cannot be read as {}: {}",
                pinned.key,
                title(table.format),
                sentence(&e).trim_end_matches('.'),
            ));
        }
    }
    failure
}

fn is_about_data(failure: &Failure) -> bool {
    let Failure::DataFusion(e) = failure else { return false };
    matches!(
        e.find_root(),
        DataFusionError::ArrowError(..)
            | DataFusionError::ParquetError(..)
            | DataFusionError::External(..)
            | DataFusionError::Execution(..)
            | DataFusionError::IoError(..)
    )
}

async fn drain(
    scan: Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<(), DataFusionError> {
    collect(scan, context.clone()).await.map(drop)
}
