//! What a plan is expected to take, before anything runs.
//!
//! What a plan does not tell is a range: rows that a filter leaves, groups, matches of a join (taken to
//! be along a key), how fast a statement gets through its rows. A range has a low end where little is
//! left, and a high end where all is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{Bounds, Estimated, StageEstimate};
use super::requests::{READS_PER_MESSAGE, RUN_REQUESTS, Requests, StageShape};
use super::simulate::{Scenario, simulate};
use super::workers::{MIB, Workers};
use crate::ids::StageId;
use crate::record::{Input, Output, Plan, Read, Stage, share_messages};

/// The estimate of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// What it was made for.
    pub workers: Workers,
    pub total: Estimated,
    pub stages: Vec<StageEstimate>,
}

/// An exchange is read in pieces of at most so many bytes, and of at least so many where it is not
/// smaller.
const PIECE_BYTES: Bounds<f64> = Bounds { low: 8.0 * MIB, high: MIB };

/// The estimate of a plan over these workers.
pub fn estimate(plan: &Plan, workers: &Workers) -> Estimate {
    let mut stages: Vec<StageEstimate> = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        stages.push(match stage.reused {
            // those who read it ask each of its objects
            Some(_) => StageEstimate {
                tasks: Bounds::exactly(u64::from(stage.partitions)),
                ..StageEstimate::default()
            },
            None => of_stage(plan, stage, &stages, workers),
        });
    }
    let seconds = |is_high| {
        simulate(plan, &stages, workers, &Scenario { is_high, ..Scenario::default() }).seconds
    };
    let seconds = Bounds { low: false, high: true }.map(seconds);
    let sum = |of: fn(&StageEstimate) -> Bounds<u64>| -> Bounds<u64> {
        let own = stages.iter().filter(|s| s.messages.high > 0);
        own.map(|s| of(s).map(|n| n as f64)).sum::<Bounds<f64>>().whole()
    };
    let total = Estimated {
        tasks: sum(|s| s.tasks),
        table_bytes: sum(|s| s.table_bytes),
        exchange_bytes: sum(|s| s.exchange_bytes),
        requests: sum(|s| s.requests).map(|n| n + RUN_REQUESTS.sum() as u64),
        gb_seconds: stages.iter().map(|s| s.gb_seconds).sum(),
        seconds,
        cost_usd: stages.iter().map(|s| s.cost_usd).sum::<Bounds<f64>>()
            + Bounds::exactly(RUN_REQUESTS.usd(0.0)),
    };
    Estimate { workers: *workers, total, stages }
}

fn of_stage(
    plan: &Plan,
    stage: &Stage,
    before: &[StageEstimate],
    workers: &Workers,
) -> StageEstimate {
    let mut slot_bytes = Bounds::exactly(0.0);
    let mut all_bytes = Bounds::exactly(0.0);
    for input in &stage.inputs {
        let written = written(plan, input.stage);
        match input.read {
            Read::Slot => slot_bytes = slot_bytes + written,
            Read::All => all_bytes = all_bytes + written,
        }
    }
    let tasks = tasks(plan, stage, slot_bytes);
    let repeated = all_bytes.zip(tasks, |bytes, tasks| bytes * tasks);
    let exchange_bytes = slot_bytes + repeated;
    let of_tables = &stage.expected;
    let table_bytes = spared(of_tables.table_bytes, of_tables.footer_bytes, of_tables.prunes);
    let each = (table_bytes + exchange_bytes).zip(tasks, |bytes, tasks| bytes / tasks);
    let scanned = Bounds::exactly(stage.scan_bytes as f64);
    let share = (scanned + exchange_bytes).zip(tasks, |bytes, tasks| {
        f64::from(share_messages(stage.worker, tasks as u64, (bytes / tasks) as u64))
    });
    let mut fetches = spared(of_tables.table_requests, of_tables.footer_requests, of_tables.prunes);
    for input in &stage.inputs {
        fetches = fetches + fetches_of(plan, stage, input.stage, input.read, before, tasks);
    }
    let messages = tasks.zip(share, |tasks, share| (tasks / share).ceil());
    let control = |reads_per_message, of: fn(Bounds<f64>) -> f64| {
        let inputs = stage.inputs.iter().filter_map(|i| before.get(usize::from(i.stage.0)));
        let inputs = inputs.map(|s| of(s.tasks.map(|n| n as f64))).collect();
        let is_last = plan.is_last(stage.id);
        let (tasks, messages) = (of(tasks), of(messages));
        StageShape { tasks, messages, inputs, is_last, reads_per_message }.requests()
            + Requests { reads: of(fetches), writes: 0.0 }
    };
    let requests = Bounds {
        low: control(READS_PER_MESSAGE.low, |range| range.low),
        high: control(READS_PER_MESSAGE.high, |range| range.high),
    };
    let calls = of_tables.call_millis.map(|n| n as f64 / 1000.0);
    let calls = calls.zip(messages, |seconds, messages| seconds / messages);
    let message_seconds = workers.seconds_of_message(stage.worker, each, share) + calls;
    let gb_seconds = message_seconds.zip(messages, |s, n| s * n * workers.gb(stage.worker));
    let of_work = message_seconds.zip(messages, |s, n| s * n * workers.rate(stage.worker));
    let of_requests = requests.zip(messages, Requests::usd);
    StageEstimate {
        tasks: tasks.whole(),
        messages: messages.whole(),
        table_bytes: table_bytes.whole(),
        exchange_bytes: exchange_bytes.whole(),
        requests: requests.map(Requests::sum).whole(),
        message_seconds,
        gb_seconds,
        cost_usd: of_work + of_requests,
    }
}

/// What is read of tables: footers are known to a process that has read them, and some of the rest may
/// not be needed.
fn spared(most: u64, footers: u64, prunes: bool) -> Bounds<f64> {
    let low = if prunes { 0 } else { most.saturating_sub(footers) };
    Bounds { low, high: most }.map(|n| n as f64)
}

/// What the tasks of a stage write for others.
fn written(plan: &Plan, stage: StageId) -> Bounds<f64> {
    let written = plan.stage(stage).map(|s| s.expected.written_bytes).unwrap_or_default();
    written.map(|n| n as f64)
}

/// Small neighbouring partitions share a task, once their sizes are known.
fn tasks(plan: &Plan, stage: &Stage, slot_bytes: Bounds<f64>) -> Bounds<f64> {
    let partitions = f64::from(stage.partitions.max(1));
    if stage.whole {
        return Bounds::exactly(1.0);
    }
    if stage.scans || stage.is_slow() || plan.task_bytes == 0 {
        return Bounds::exactly(partitions);
    }
    let slots = |input: &Input| match plan.stage(input.stage).map(|s| s.output) {
        Some(Output::Exchange { slots }) => slots,
        _ => stage.partitions,
    };
    let by_slot = || stage.inputs.iter().filter(|i| i.read == Read::Slot);
    if by_slot().any(|input| slots(input) < stage.partitions) {
        return Bounds::exactly(partitions); // nothing tells which are small
    }
    // a task that is filled has at least half of what it may have; several share a large partition
    let filled = slot_bytes.map(|bytes| bytes / plan.task_bytes as f64);
    let shared = if stage.splits.is_some() { filled.high } else { 0.0 };
    Bounds {
        low: filled.low.ceil().clamp(1.0, partitions),
        high: (2.0 * filled.high + 1.0).ceil().clamp(1.0, partitions) + shared.floor(),
    }
}

/// Requests for what a stage reads of another: each task asks each object for its slots.
fn fetches_of(
    plan: &Plan,
    stage: &Stage,
    input: StageId,
    read: Read,
    before: &[StageEstimate],
    tasks: Bounds<f64>,
) -> Bounds<f64> {
    let writers = before.get(usize::from(input.0)).map(|s| s.tasks).unwrap_or_default();
    let written = written(plan, input);
    let readers = match read {
        // a merge asks for its slots one by one
        Read::Slot if stage.whole => Bounds::exactly(f64::from(stage.partitions)),
        Read::Slot | Read::All => tasks,
    };
    let pairs = writers.zip(readers, |writers, readers| writers as f64 * readers);
    let bytes = match read {
        Read::Slot => written,
        Read::All => written.zip(tasks, |bytes, tasks| bytes * tasks),
    };
    let pieces = bytes.zip(PIECE_BYTES, |bytes, piece| bytes / piece);
    // a slot without rows is not asked for; one of more than a piece several times
    let low = if written.low > 0.0 { pairs.low.max(pieces.low) } else { 0.0 };
    Bounds { low, high: pairs.high + pieces.high }
}
