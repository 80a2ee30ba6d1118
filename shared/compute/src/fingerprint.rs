//! What makes the tasks of a stage the same as those of another run: the engine, the fragment, the
//! pinned files that it scans, and the stages that it reads.

use serde::Serialize;
use sha2::{Digest, Sha256};
use tidemill_protocol::WorkerKind;
use tidemill_protocol::record::{Input, Output, Stage};

use crate::engine_plan::EnginePlan;
use crate::error::Failure;
use crate::functions::Callables;
use crate::session::ENGINE_VERSION;
use crate::stage::Fragment;

/// What a stage's fingerprint is of.
#[derive(Serialize)]
struct Identity<'a> {
    engine: &'a str,
    partitions: u32,
    whole: bool,
    inputs: &'a [Input],
    output: Output,
    fragment: &'a Fragment,
    /// Of Python: none, unless the stage calls some of them.
    functions: Option<&'a Callables>,
    /// Fingerprints of the tables that it scans.
    tables: Vec<&'a str>,
    /// Fingerprints of the inputs.
    reads: Vec<&'a str>,
}

/// Gives each stage but the last, which is never taken over, its fingerprint; inputs come before
/// their readers.
pub(crate) fn add(stages: &mut [Stage], engine_plan: &EnginePlan) -> Result<(), Failure> {
    let tables: Result<Vec<_>, _> = engine_plan.tables.iter().map(digest).collect();
    let tables = tables?;
    let last = stages.len().saturating_sub(1);
    for (number, fragment) in engine_plan.fragments.iter().enumerate().take(last) {
        let mut scanned = fragment.tables().map(|number| &engine_plan.tables[number]);
        if scanned.any(|t| t.quarantine) {
            continue; // the lines that it set aside are the other run's
        }
        let stage = &stages[number];
        let reads = stage.inputs.iter().map(|i| &stages[usize::from(i.stage.0)]);
        let identity = Identity {
            engine: ENGINE_VERSION,
            partitions: stage.partitions,
            whole: stage.whole,
            inputs: &stage.inputs,
            output: stage.output,
            fragment,
            functions: (stage.worker == WorkerKind::PythonSql).then_some(&engine_plan.functions),
            tables: fragment.tables().map(|number| tables[number].as_str()).collect(),
            reads: reads.map(|s| s.fingerprint.as_str()).collect(),
        };
        stages[number].fingerprint = digest(&identity)?;
    }
    Ok(())
}

fn digest(what: &impl Serialize) -> Result<String, Failure> {
    let bytes = serde_json::to_vec(what)
        .map_err(|e| Failure::Refused(format!("the plan cannot be stored: {e}")))?;
    Ok(Sha256::digest(&bytes)[..16].iter().map(|b| format!("{b:02x}")).collect())
}
