//! Which file an error is about.
//!
//! The readers say what is wrong in a file but not in which. After a failure each file of the
//! task is read alone until one fails: slow, but only once, and the run is over anyway.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect};
use futures::FutureExt;

use crate::engine_plan::EnginePlan;
use crate::error::{Failure, sentence};
use crate::table::{probe, title};

/// At most this many bytes are read again.
const PROBED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Turns an error of reading into a sentence that names the file; leaves other errors alone.
pub(crate) async fn name_the_file(
    plan: &EnginePlan,
    context: &Arc<TaskContext>,
    failure: Failure,
) -> Failure {
    if let Some(unreadable) = failure.unreadable() {
        return Failure::Refused(unreadable.sentence());
    }
    if failure.store_error().is_some() || !is_about_data(&failure) {
        return failure;
    }
    let mut left = PROBED_BYTES_MAX;
    for (number, table) in plan.tables.iter().enumerate() {
        for (file, pinned) in table.files.iter().enumerate() {
            let Some(rest) = left.checked_sub(pinned.size) else { return failure };
            left = rest;
            let Ok(scan) = probe(&context.runtime_env(), table, number, file) else { continue };
            let Err(at_fault) = drain(scan, context).await else { continue };
            if let Some(unreadable) = at_fault.unreadable() {
                return Failure::Refused(unreadable.sentence());
            }
            if at_fault.store_error().is_some() {
                return at_fault;
            }
            let why = match &at_fault {
                Failure::DataFusion(e) => sentence(e),
                other => other.to_string(),
            };
            return Failure::Refused(format!(
                "{} cannot be read as {}: {}",
                pinned.key,
                title(table.format),
                why.trim_end_matches('.'),
            ));
        }
    }
    failure
}

fn is_about_data(failure: &Failure) -> bool {
    let e = match failure {
        Failure::Panicked(_) => return true,
        Failure::DataFusion(e) => e,
        _ => return false,
    };
    matches!(
        e.find_root(),
        DataFusionError::ArrowError(..)
            | DataFusionError::ParquetError(..)
            | DataFusionError::External(..)
            | DataFusionError::Execution(..)
            | DataFusionError::IoError(..)
    )
}

/// Reads to the end.
async fn drain(scan: Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<(), Failure> {
    let reading = AssertUnwindSafe(collect(scan, context.clone())).catch_unwind().await;
    match reading {
        Ok(read) => Ok(read.map(drop)?),
        Err(panic) => Err(Failure::of_decoder(&*panic)),
    }
}
