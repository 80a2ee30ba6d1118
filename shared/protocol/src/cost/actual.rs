//! What a run that succeeded took, in the terms of its estimate.

use super::figures::Actual;
use super::requests::{RUN_REQUESTS, Requests, StageShape, USUAL_READS_PER_MESSAGE};
use super::workers::{TASK_OVERHEAD_SECONDS_MAX, Workers};
use crate::queue::WorkerKind;
use crate::record::{Plan, StageSummary, share_messages};
use crate::tuning::TINY_TASKS_AT_ONCE;

/// Counted are the attempts that committed. Tasks say what they asked for of tables and exchanges; the
/// protocol's requests follow from the numbers of tasks.
pub(crate) fn actual(
    plan: &Plan,
    stages: &[StageSummary],
    workers: &Workers,
    seconds: f64,
) -> Actual {
    let mut actual = Actual { seconds, ..Actual::default() };
    let mut requests = RUN_REQUESTS;
    let mut messages = 0.0;
    for summary in stages.iter().filter(|s| s.reused.is_none()) {
        let Some(stage) = plan.stage(summary.stage) else { continue };
        let (tasks, usage) = (u64::from(summary.tasks), &summary.usage);
        let bytes = stage.scan_bytes.saturating_add(usage.exchange_bytes);
        let share = share_messages(stage.worker, tasks, bytes / tasks.max(1));
        let sent = (tasks as f64 / f64::from(share)).ceil();
        let at_once = f64::from(share).min(TINY_TASKS_AT_ONCE as f64);
        let worked = usage.milliseconds as f64 / 1e3 / at_once + sent * TASK_OVERHEAD_SECONDS_MAX;
        actual.tasks += tasks;
        actual.table_bytes += usage.read_bytes.saturating_sub(usage.exchange_bytes);
        actual.exchange_bytes += usage.exchange_bytes;
        let large = (usage.large_tasks as f64 / tasks.max(1) as f64).min(1.0);
        let larger = stage.worker.larger().unwrap_or(stage.worker);
        let mixed = |of: fn(&Workers, WorkerKind) -> f64| {
            (1.0 - large) * of(workers, stage.worker) + large * of(workers, larger)
        };
        actual.gb_seconds += worked * mixed(Workers::gb);
        actual.cost_usd += worked * mixed(Workers::rate);
        let input = |id| stages.iter().find(|s| s.stage == id).map(|s| f64::from(s.tasks));
        let shape = StageShape {
            tasks: tasks as f64,
            messages: sent,
            inputs: stage.inputs.iter().filter_map(|i| input(i.stage)).collect(),
            is_last: plan.is_last(stage.id),
            reads_per_message: USUAL_READS_PER_MESSAGE,
        };
        let fetched = Requests { reads: usage.requests as f64, writes: 0.0 };
        requests = requests + shape.requests() + fetched;
        messages += sent;
    }
    actual.requests = requests.sum() as u64;
    actual.cost_usd += requests.usd(messages);
    actual
}
