//! What a plan would run into: limits of the platform that no waiting mends.

use super::estimate::Estimate;
use super::figures::StageEstimate;
use super::scale::EXCHANGE_SLOTS_MAX;
use super::workers::FUNCTION_TIMEOUT_SECONDS;
use crate::record::{Output, Plan, Stage};

/// Temporary storage of a worker, in bytes (the template's `EphemeralStorage`).
const TEMPORARY_STORAGE_BYTES: f64 = 10_240.0 * 1024.0 * 1024.0;

/// Bytes of an object that is written at once (Amazon S3, quotas).
const PUT_BYTES_MAX: u64 = 5 << 30;

/// Messages of a queue that may be at work at once (Amazon SQS, quotas).
const IN_FLIGHT_MESSAGES_MAX: u64 = 120_000;

/// Bytes of a slot in an index.
const INDEX_SLOT_BYTES: f64 = 10.0;

/// Sentences, each about a stage and a limit that it passes even at the low end of its estimate, or may
/// pass at the high end.
pub fn limits(plan: &Plan, estimate: &Estimate) -> Vec<String> {
    let stages = plan.stages.iter().zip(&estimate.stages);
    stages.flat_map(|(stage, of)| limits_of(stage, of)).collect()
}

fn limits_of(plan: &Stage, of: &StageEstimate) -> Vec<String> {
    let stage = plan.id;
    let mut limits = vec![];
    let verb = |low: bool| if low { "takes" } else { "may take" };
    if of.message_seconds.high > FUNCTION_TIMEOUT_SECONDS {
        limits.push(format!(
            "a task of stage {stage} {} {:.0} s, and a function has {FUNCTION_TIMEOUT_SECONDS:.0}{}",
            verb(of.message_seconds.low > FUNCTION_TIMEOUT_SECONDS),
            of.message_seconds.high,
            if plan.scans && !plan.whole { ": more partitions make its tasks smaller" } else { "" }
        ));
    }
    let each = of.exchange_bytes.zip(of.tasks, |bytes, tasks| bytes as f64 / tasks.max(1) as f64);
    if each.high > TEMPORARY_STORAGE_BYTES {
        limits.push(format!(
            "a task of stage {stage} {} {:.1} GB of exchanges, and its temporary storage has {:.1}",
            verb(each.low > TEMPORARY_STORAGE_BYTES),
            each.high / 1e9,
            TEMPORARY_STORAGE_BYTES / 1e9
        ));
    }
    let written = plan.expected.written_bytes.zip(of.tasks, |bytes, tasks| bytes / tasks.max(1));
    if written.high > PUT_BYTES_MAX {
        limits.push(format!(
            "a task of stage {stage} {} an exchange object of {:.1} GB, and a PUT has at most {:.1}",
            verb(written.low > PUT_BYTES_MAX),
            written.high as f64 / 1e9,
            PUT_BYTES_MAX as f64 / 1e9
        ));
    }
    if let Output::Exchange { slots } = plan.output {
        let all = of.tasks.high.saturating_mul(u64::from(slots));
        if all > EXCHANGE_SLOTS_MAX {
            limits.push(format!(
                "the exchange of stage {stage} has {all} slots; each task that reads it reads their \
                 index first, which is {:.0} MB",
                all as f64 * INDEX_SLOT_BYTES / 1e6
            ));
        }
    }
    if of.messages.high > IN_FLIGHT_MESSAGES_MAX {
        limits.push(format!(
            "stage {stage} has {} messages, and a queue has at most {IN_FLIGHT_MESSAGES_MAX} at work at once",
            of.messages.high
        ));
    }
    limits
}
