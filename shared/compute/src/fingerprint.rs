//! What makes the tasks of a stage the same as those of another run: the engine, the fragment, the
//! pinned files that it scans, and the stages that it reads.

use serde::Serialize;
use sha2::{Digest, Sha256};
use tidemill_protocol::record::{Input, Output, Stage};

use crate::error::Failure;
use crate::plan::EnginePlan;
use crate::session::ENGINE_VERSION;
use crate::stage::Fragment;
use crate::table::Table;

/// What a stage's fingerprint is of.
#[derive(Serialize)]
struct Identity<'a> {
    engine: &'a str,
    partitions: u32,
    whole: bool,
    inputs: &'a [Input],
    output: Output,
    fragment: &'a Fragment,
    tables: Vec<&'a Table>,
    /// Fingerprints of the inputs.
    reads: Vec<&'a str>,
}

/// Gives each stage its fingerprint; inputs come before their readers.
pub(crate) fn add(stages: &mut [Stage], engine_plan: &EnginePlan) -> Result<(), Failure> {
    for number in 0..stages.len() {
        let (before, rest) = stages.split_at_mut(number);
        let stage = &mut rest[0];
        let Some(fragment) = engine_plan.fragments.get(number) else { continue };
        let reads =
            stage.inputs.iter().map(|i| before[usize::from(i.stage.0)].fingerprint.as_str());
        let identity = Identity {
            engine: ENGINE_VERSION,
            partitions: stage.partitions,
            whole: stage.whole,
            inputs: &stage.inputs,
            output: stage.output,
            fragment,
            tables: fragment.tables(&engine_plan.tables),
            reads: reads.collect(),
        };
        let bytes = serde_json::to_vec(&identity)
            .map_err(|e| Failure::Refused(format!("the plan cannot be stored: {e}")))?;
        let digest = Sha256::digest(&bytes);
        let fingerprint: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
        stage.fingerprint = fingerprint;
    }
    Ok(())
}
