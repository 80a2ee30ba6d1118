//! Simulates a run with the model of its cost: when which worker takes which message.
//!
//! Messages are taken in the order in which their stages become ready, by workers whose number grows as
//! that of an event source does. A stage is ready when its inputs are done; all of its messages last as
//! long as its estimate says, but for stragglers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::figures::{Bounds, StageEstimate};
use super::workers::{Ramp, Workers};
use crate::record::{Plan, Stage};
use crate::tuning::{STRAGGLER_FACTOR, STRAGGLER_MESSAGES_MIN, STRAGGLER_TIME_MIN, WATCH_INTERVAL};

/// How a run is run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scenario {
    /// With the high ends of the estimate.
    pub is_high: bool,
    /// Some messages take far longer than others, drawn with this seed.
    pub stragglers: Option<u64>,
    /// What does not limit the run.
    pub ignoring: Option<Bottleneck>,
}

/// What limits a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// Workers become more with time only.
    Ramp,
    /// No more workers are allowed at once.
    Concurrency,
    Stragglers,
    /// A prefix of a bucket answers so many requests a second.
    RequestRate,
}

/// A run that was run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SimulatedRun {
    /// From the upload to the outcome.
    pub seconds: f64,
    /// The most at once.
    pub workers: usize,
    pub stragglers: usize,
    /// By stage.
    pub stages: Vec<StageSpan>,
}

/// When a stage ran, in seconds after the upload.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageSpan {
    pub ready: f64,
    pub done: f64,
    pub messages: u64,
    /// Requests to the bucket, on average.
    pub requests_per_second: f64,
}

/// Seconds from an upload to the tasks of its plan: the storage event, the planner, the first message.
const RUN_START_SECONDS: Bounds<f64> = Bounds { low: 0.4, high: 3.0 };

/// Seconds from the last commit of a stage to the next stage's first task.
const STAGE_HANDOFF_SECONDS: Bounds<f64> = Bounds { low: 0.1, high: 0.5 };

/// Seconds that a new worker takes to start.
const COLD_START_SECONDS: Bounds<f64> = Bounds { low: 0.1, high: 0.8 };

/// Reads that a prefix of a bucket answers in a second before S3 has spread it (S3, performance).
const PREFIX_READS_PER_SECOND: f64 = 5500.0;

/// One message in so many is a straggler and takes so many times as long: an assumption, of the size
/// that reports of large clusters have.
const MESSAGES_PER_STRAGGLER: u64 = 100;
const STRAGGLER_SLOWDOWN_FACTORS: std::ops::RangeInclusive<u64> = 2..=10;

/// Messages of a stage that are simulated one by one.
const SIMULATED_MESSAGES_MAX: u64 = 200_000;

const MICROSECONDS_PER_SECOND: f64 = 1e6;

/// Workers of an event source; times in microseconds.
struct Pool {
    ramp: Ramp,
    /// Since when there are messages.
    since: Option<u64>,
    workers: usize,
    /// When workers are free again.
    free: BinaryHeap<Reverse<u64>>,
}

impl Pool {
    fn new(ramp: Ramp) -> Self {
        Self { ramp, since: None, workers: 0, free: BinaryHeap::new() }
    }

    /// When a worker takes a message that is ready, and whether it is a new one.
    fn take(&mut self, ready: u64) -> (u64, bool) {
        let since = *self.since.get_or_insert(ready);
        let warm = self.free.peek().map(|Reverse(at)| ready.max(*at));
        let new = self.next_worker(since).map(|at| ready.max(at));
        match (warm, new) {
            (Some(warm), new) if new.is_none_or(|new| warm <= new) => {
                self.free.pop();
                (warm, false)
            }
            (_, Some(new)) => {
                self.workers += 1;
                (new, true)
            }
            (_, None) => (ready, true), // there is always one
        }
    }

    fn next_worker(&self, since: u64) -> Option<u64> {
        let Ramp { at_once, per_second, most } = self.ramp;
        let number = self.workers as f64 + 1.0;
        if number > most.max(1.0) {
            return None;
        }
        let waits = (number - at_once.max(1.0)).max(0.0) / per_second;
        Some(since + micros(waits))
    }
}

fn micros(seconds: f64) -> u64 {
    (seconds * MICROSECONDS_PER_SECOND) as u64
}

impl Workers {
    /// Seconds until so many tasks are done of one stage, which take `each` seconds.
    pub(crate) fn seconds_of_scan(&self, tasks: u64, each: f64) -> f64 {
        let mut pool = Pool::new(self.ramp());
        let mut last = 0;
        for _ in 0..tasks {
            let end = pool.take(0).0 + micros(each);
            pool.free.push(Reverse(end));
            last = last.max(end);
        }
        last as f64 / MICROSECONDS_PER_SECOND
    }
}

/// Simulates a plan of these stages.
pub fn simulate(
    plan: &Plan,
    stages: &[StageEstimate],
    workers: &Workers,
    scenario: &Scenario,
) -> SimulatedRun {
    let end_of = |range: Bounds<f64>| if scenario.is_high { range.high } else { range.low };
    let mut ramp = workers.ramp();
    match scenario.ignoring {
        Some(Bottleneck::Ramp) => ramp.at_once = ramp.most,
        Some(Bottleneck::Concurrency) => ramp.most = f64::INFINITY,
        _ => {}
    }
    let mut pool = Pool::new(ramp);
    let mut rng = scenario
        .stragglers
        .filter(|_| scenario.ignoring != Some(Bottleneck::Stragglers))
        .map(fastrand::Rng::with_seed);
    let mut run = SimulatedRun {
        stages: vec![StageSpan::default(); stages.len()],
        ..SimulatedRun::default()
    };
    let mut left: Vec<&Stage> = plan.stages.iter().collect();
    while let Some((at, ready)) =
        next_stage(plan, &left, &run, end_of(RUN_START_SECONDS), end_of(STAGE_HANDOFF_SECONDS))
    {
        let stage = left.remove(at);
        let number = usize::from(stage.id.0);
        let Some(estimate) = stages.get(number).copied() else { break };
        let messages =
            if scenario.is_high { estimate.messages.high } else { estimate.messages.low };
        // of very many messages a worker takes some in a row
        let row = messages.div_ceil(SIMULATED_MESSAGES_MAX).max(1);
        let seconds = end_of(estimate.message_seconds) * row as f64;
        let mut done = micros(ready);
        for _ in 0..messages.div_ceil(row) {
            let (start, is_new) = pool.take(micros(ready));
            let mut takes = seconds;
            if let Some(rng) = &mut rng
                && rng.u64(0..MESSAGES_PER_STRAGGLER) == 0
            {
                run.stragglers += 1;
                takes = straggle(seconds, messages, rng);
            }
            let cold = if is_new { end_of(COLD_START_SECONDS) } else { 0.0 };
            let end = start + micros(takes + cold);
            pool.free.push(Reverse(end));
            done = done.max(end);
        }
        let requests = estimate.requests.map(|n| n as f64);
        let requests = end_of(requests);
        let mut done = done as f64 / MICROSECONDS_PER_SECOND;
        if scenario.ignoring != Some(Bottleneck::RequestRate) {
            done = done.max(ready + requests / PREFIX_READS_PER_SECOND);
        }
        let requests_per_second = requests / (done - ready).max(1.0);
        run.stages[number] = StageSpan { ready, done, messages, requests_per_second };
    }
    run.seconds =
        run.stages.iter().map(|s| s.done).fold(0.0, f64::max) + end_of(STAGE_HANDOFF_SECONDS);
    run.workers = pool.workers;
    run
}

/// The stage among `left` that is ready first, and when.
fn next_stage(
    plan: &Plan,
    left: &[&Stage],
    run: &SimulatedRun,
    start: f64,
    next: f64,
) -> Option<(usize, f64)> {
    let is_left = |stage: &Stage| left.iter().any(|l| l.id == stage.id);
    let ready = |stage: &Stage| -> Option<f64> {
        if plan.inputs(stage).any(is_left) {
            return None;
        }
        let inputs = plan.inputs(stage).filter_map(|i| run.stages.get(usize::from(i.id.0)));
        Some(inputs.map(|s| s.done + next).fold(start, f64::max))
    };
    let all = left.iter().enumerate().filter_map(|(at, stage)| Some((at, ready(stage)?)));
    all.min_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Seconds of a straggler: its own, or those until it is repeated and that is done ([`crate::watch`]).
fn straggle(seconds: f64, messages: u64, rng: &mut fastrand::Rng) -> f64 {
    let own = seconds * rng.u64(STRAGGLER_SLOWDOWN_FACTORS) as f64;
    let noticed = (f64::from(STRAGGLER_FACTOR) * seconds).max(STRAGGLER_TIME_MIN.as_seconds_f64());
    let repeated = noticed + WATCH_INTERVAL.as_secs_f64() * rng.f64() + seconds;
    if messages < STRAGGLER_MESSAGES_MIN as u64 { own } else { own.min(repeated) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{estimate, scaled};
    use crate::ids::{RunId, StageId};
    use crate::queue::WorkerKind;
    use crate::record::{Input, Output, Read, StageIo};

    /// A scan of 10 GB in a hundred tasks, and what reads a tenth of it in ten partitions.
    fn plan() -> Plan {
        let stage = |id: u16, partitions, inputs: Vec<Input>| Stage {
            id: StageId(id),
            worker: WorkerKind::Normal,
            partitions,
            whole: false,
            scans: inputs.is_empty(),
            inputs,
            scan_bytes: 0,
            expected: StageIo::default(),
            splits: None,
            fingerprint: String::new(),
            reused: None,
            output: Output::Result,
            operators: String::new(),
        };
        let scan = Stage {
            scan_bytes: 10_000_000_000,
            expected: StageIo {
                table_bytes: 10_000_000_000,
                table_requests: 1000,
                written_bytes: Bounds { low: 0, high: 1_000_000_000 },
                ..StageIo::default()
            },
            output: Output::Exchange { slots: 10 },
            ..stage(0, 100, vec![])
        };
        let read = Input { stage: StageId(0), read: Read::Slot };
        Plan {
            run: RunId::parse("r").expect("a run id"),
            engine: String::new(),
            stages: vec![scan, stage(1, 10, vec![read])],
            task_bytes: 32 << 20,
            max_cost_usd: None,
            estimate: None,
            explains: None,
            single: None,
            publication: None,
            engine_plan: serde_json::Value::Null,
        }
    }

    #[test]
    fn an_estimate_has_its_ends_in_order_and_counts_what_is_known() {
        let of = estimate(&plan(), &Workers::default());
        let total = of.total;
        assert_eq!(total.table_bytes, Bounds::exactly(10_000_000_000));
        assert_eq!(total.exchange_bytes, Bounds { low: 0, high: 1_000_000_000 });
        assert_eq!(total.tasks, Bounds { low: 101, high: 110 });
        assert!(total.requests.low >= 1300 && total.requests.high <= 4000, "{total:?}");
        for range in [total.gb_seconds, total.seconds, total.cost_usd] {
            assert!(0.0 < range.low && range.low < range.high, "{total:?}");
        }
    }

    #[test]
    fn ten_terabytes_in_ten_thousand_tasks_are_played_and_what_limits_them_is_found() {
        let workers = Workers::default();
        let (plan, estimate) = scaled(&plan(), &workers, 1000.0, Some(10_000));
        let run = |stragglers, ignoring| {
            simulate(
                &plan,
                &estimate.stages,
                &workers,
                &Scenario { is_high: true, stragglers, ignoring },
            )
        };
        let (even, odd) = (run(None, None), run(Some(1), None));
        assert_eq!(odd, run(Some(1), None), "a seed simulates the same run");
        assert!(odd.stragglers > 50 && odd.seconds > even.seconds);
        assert_eq!((odd.workers, odd.stages[0].messages), (100, 10_000));
        for bottleneck in [
            Bottleneck::Ramp,
            Bottleneck::Concurrency,
            Bottleneck::Stragglers,
            Bottleneck::RequestRate,
        ] {
            assert!(run(Some(1), Some(bottleneck)).seconds <= odd.seconds * 1.05, "{bottleneck:?}");
        }
        let unbounded = run(Some(1), Some(Bottleneck::Concurrency)).stages[0].done;
        assert!(unbounded < odd.stages[0].done / 2.0, "{unbounded}");
        let readers_wait = odd.stages[1].ready >= odd.stages[0].done;
        assert!(readers_wait && odd.seconds > odd.stages[1].done);
    }

    #[test]
    fn workers_become_more_as_those_of_an_event_source_do() {
        let workers = Workers { concurrency: 1000, ..Workers::default() };
        assert!((workers.seconds_of_scan(5, 2.0) - 2.0).abs() < 1e-3);
        // five at once, and five more each second
        let seconds = workers.seconds_of_scan(305, 60.0);
        assert!((seconds - 120.0).abs() < 1.0, "{seconds}");
        let few = Workers { concurrency: 10, ..workers };
        assert!((few.seconds_of_scan(100, 10.0) - 100.0).abs() < 2.0);
        let provisioned = Workers { pollers: 20, ..workers };
        assert!((provisioned.seconds_of_scan(200, 10.0) - 10.0).abs() < 1e-3);
    }
}
