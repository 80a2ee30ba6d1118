//! How many tasks a job is worth, and what it would be with more data.

use super::estimate::{Estimate, estimate};
use super::figures::Bounds;
use super::workers::Workers;
use crate::queue::WorkerKind;
use crate::record::{Output, Plan, Stage, StageIo};

/// Bytes of a table that are worth a task of their own: with fewer, what an attempt takes around its
/// task is a third of it and more.
const SPLIT_BYTES: u64 = 128 << 20;

/// The most bytes of a task: what it reads may all go into one exchange object, which goes through its
/// temporary storage and one PUT of at most 5 GB.
const SPLIT_BYTES_MAX: u64 = 1 << 30;

/// Tasks that are simulated at most to find out how many are worth it.
const SIMULATED_TASKS_MAX: u64 = 50_000;

/// Larger tasks, which are cheaper, may make a scan so much slower.
const SLOWDOWN_FACTOR_MAX: f64 = 1.05;

/// A slow task is to end within a third of a function's time-out.
const TASK_SECONDS_MAX: f64 = 300.0;

/// Bytes of input for each partition of a hash exchange.
const PARTITION_BYTES: u64 = 64 << 20;

/// Writers times partitions of an exchange: its index is a record that each reader reads.
pub(crate) const EXCHANGE_SLOTS_MAX: u64 = 1_000_000;

/// The same where a job asks for its partitions, whatever its bytes.
const ASKED_EXCHANGE_SLOTS_MAX: u64 = 100_000;

/// Exchanged bytes that are worth a task of their own.
pub const TASK_BYTES: u64 = 32 << 20;

/// Bytes of a request for a part of a large file.
const REQUEST_BYTES: u64 = 8 << 20;

/// Partitions of a job that does not ask for more.
const PARTITIONS_MAX: u64 = 1000;

/// How many tasks the scan of so many stored bytes is worth: a task for every 128 MiB; of twice as many
/// as long as the estimated time grows by at most a twentieth, because each task costs something.
pub fn splits(bytes: u64, workers: &Workers) -> u64 {
    let least = bytes.div_ceil(SPLIT_BYTES_MAX);
    let mut tasks = bytes.div_ceil(SPLIT_BYTES).min(SIMULATED_TASKS_MAX.max(least)).max(1);
    let each = |tasks: u64| bytes as f64 / tasks as f64;
    let slow = |tasks| workers.seconds(WorkerKind::Normal, Bounds::exactly(each(tasks))).high;
    let seconds = |tasks| workers.seconds_of_scan(tasks, slow(tasks));
    while tasks > 1 {
        let fewer = tasks.div_ceil(2);
        if fewer < least
            || slow(fewer) > TASK_SECONDS_MAX
            || seconds(fewer) > seconds(tasks) * SLOWDOWN_FACTOR_MAX
        {
            break;
        }
        tasks = fewer;
    }
    tasks
}

/// How many partitions the exchanges of a job have that reads so many bytes, where the scan with most
/// tasks has `splits`.
pub fn partitions(bytes: u64, splits: u64) -> u64 {
    let most = (EXCHANGE_SLOTS_MAX / splits.max(1)).clamp(2, PARTITIONS_MAX);
    bytes.div_ceil(PARTITION_BYTES).clamp(2, most)
}

/// How many partitions the exchanges of a job have that asks for so many: of thousands, fewer.
pub fn asked_partitions(asked: u64) -> u64 {
    asked.min((ASKED_EXCHANGE_SLOTS_MAX / asked.max(1)).max(1))
}

/// The plan of the same statement over `factor` times the data, and its estimate, with as many tasks as
/// that is worth, or as a job asks for.
pub fn scaled(plan: &Plan, workers: &Workers, factor: f64, asked: Option<u32>) -> (Plan, Estimate) {
    let times = |n: u64| (n as f64 * factor).round() as u64;
    let tasks = |bytes| asked.map_or_else(|| splits(bytes, workers), u64::from);
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let bytes = plan.stages.iter().fold(0u64, |sum, s| sum.saturating_add(times(s.scan_bytes)));
    let scans = plan.stages.iter().filter(|s| s.scans).map(|s| tasks(times(s.scan_bytes)));
    let most = scans.max().unwrap_or(1);
    let hashed = asked.map_or_else(|| partitions(bytes, most), |n| asked_partitions(n.into()));
    let scale = |stage: &Stage| {
        let scan_bytes = times(stage.scan_bytes);
        let partitions = match (stage.whole, stage.scans) {
            (false, true) => count(tasks(scan_bytes)),
            (false, false) if stage.partitions > 1 => count(hashed),
            _ => stage.partitions,
        };
        let output = match stage.output {
            Output::Exchange { slots: 2.. } => Output::Exchange { slots: count(hashed) },
            other => other,
        };
        let more = f64::from(partitions) / f64::from(stage.partitions.max(1));
        let before = stage.expected;
        // more data is taken to lie in larger files, not in more small ones
        let apart = times(before.table_bytes) / REQUEST_BYTES;
        let requests = |n: u64| ((n as f64 * more) as u64).max(times(n).min(apart));
        let written = |n: u64| if before.bounded { (n as f64 * more) as u64 } else { times(n) };
        let expected = StageIo {
            table_bytes: times(before.table_bytes),
            footer_bytes: times(before.footer_bytes),
            written_bytes: before.written_bytes.map(written),
            call_millis: before.call_millis.map(times),
            table_requests: requests(before.table_requests),
            footer_requests: requests(before.footer_requests),
            ..before
        };
        Stage { scan_bytes, partitions, output, expected, ..stage.clone() }
    };
    let task_bytes = if asked.is_some() { 0 } else { TASK_BYTES };
    let stages = plan.stages.iter().map(scale).collect();
    let plan = Plan { stages, task_bytes, ..plan.clone() };
    let estimate = estimate(&plan, workers);
    (plan, estimate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn little_data_has_small_tasks_and_much_data_has_larger_ones() {
        let workers = Workers::default();
        assert_eq!([1, 100, 128].map(|mib| splits(mib << 20, &workers)), [1, 1, 1]);
        assert_eq!(splits(GIB, &workers), 8);
        let tasks = [10, 100, 1000, 10_000].map(|gib| splits(gib * GIB, &workers));
        assert!(tasks.is_sorted(), "{tasks:?}");
        let each = 10_000 * GIB / tasks[3];
        assert!((GIB / 2..=GIB).contains(&each), "10 TiB in {} tasks", tasks[3]);
    }

    #[test]
    fn no_task_is_so_large_that_its_function_runs_out_of_time() {
        for workers in [Workers::default(), Workers { mib: 512, ..Workers::default() }] {
            for bytes in [GIB, 1 << 40, 1 << 50] {
                let tasks = splits(bytes, &workers);
                let each = Bounds::exactly(bytes as f64 / tasks as f64);
                assert!(
                    workers.seconds(WorkerKind::Normal, each).high <= TASK_SECONDS_MAX,
                    "{bytes} bytes"
                );
            }
        }
    }

    #[test]
    fn an_exchange_has_a_bounded_index() {
        for (bytes, splits) in [(0, 1), (GIB, 8), (1 << 50, 100), (1 << 50, 100_000)] {
            let partitions = partitions(bytes, splits);
            assert!(partitions >= 2);
            assert!(
                partitions * splits <= EXCHANGE_SLOTS_MAX || splits > EXCHANGE_SLOTS_MAX / 2,
                "{splits}"
            );
        }
    }
}
