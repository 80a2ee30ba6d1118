//! What a run has cost, and what it may cost yet: what keeps it within `max_cost_usd`.
//!
//! Counted are the workers of the run, with their requests and messages; the planner and the watcher
//! take seconds of small functions. An attempt lasts from its start record to its error, to the next
//! attempt at its message, to the commit of the last of its message's tasks, or until now. So one that
//! was killed counts until its message came back; what a straggler's first attempt does beside its
//! second one is not counted, nor is temporary storage (less than a hundredth).
//!
//! A stage claims its layout before it looks at the budget: of two that start at once at least one
//! sees both. The watcher looks again before all that may run till then can have taken what is left,
//! but not sooner than two seconds later: what the workers take in that time and until they notice the
//! outcome is how far a run may go over its budget.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;

use crate::attempts::{self, AttemptTimes};
use crate::bucket::{Bucket, BucketError, ObjectInfo};
use crate::context::{Context, find};
use crate::cost::requests::Requests;
use crate::cost::workers::{
    FUNCTION_TIMEOUT_SECONDS, MIB, SCAN_BYTES_PER_VCPU_SECOND_MIN, TASK_OVERHEAD_SECONDS_MAX,
    Workers,
};
use crate::ids::TaskId;
use crate::key::Key;
use crate::queue::WorkerKind;
use crate::record::{Layout, Plan, Stage, TaskMessage};

/// A stage's tasks read with requests of about so many bytes.
const REQUEST_BYTES: f64 = MIB;

/// The shortest time between two looks at a run: a look takes about $0.00002 for each stage.
const NEXT_LOOK_MIN: Duration = Duration::from_secs(2);

/// The account of a run.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Dollars that its attempts have taken.
    pub(crate) spent: f64,
    /// Dollars that tasks may take yet that have a layout and no commit.
    pub(crate) open: f64,
    /// Dollars a second of each message that may be at work until the next look.
    rates: Vec<f64>,
}

impl Workers {
    /// Dollars for the requests of an attempt at some tasks that read so many bytes.
    fn requests(&self, tasks: u32, bytes: f64) -> f64 {
        let tasks = f64::from(tasks);
        let reads = 8.0 * tasks + bytes / REQUEST_BYTES;
        Requests { reads, writes: 1.0 + 3.0 * tasks }.usd(1.0)
    }

    /// Dollars that a message's tasks may take: a high estimate, not a bound.
    fn estimate(&self, kind: WorkerKind, tasks: u32, bytes: f64, call_seconds: f64) -> f64 {
        let work = bytes / (SCAN_BYTES_PER_VCPU_SECOND_MIN * self.vcpus(kind));
        let seconds = TASK_OVERHEAD_SECONDS_MAX * (1.0 + f64::from(tasks)) + work + call_seconds;
        seconds * self.rate(kind) + self.requests(tasks, bytes)
    }

    /// How long a budget lasts at the least, if all workers run.
    pub(crate) fn outlast(&self, usd: f64) -> Duration {
        let first = [WorkerKind::Normal, WorkerKind::Python, WorkerKind::PythonSql];
        let rate = first.into_iter().map(|kind| self.rate(kind)).fold(0.0, f64::max);
        wait(usd / (f64::from(self.concurrency) * rate))
    }
}

fn wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX).max(NEXT_LOOK_MIN)
}

impl Account {
    /// When what is left of a budget may be taken, if all works that can.
    pub(crate) fn next_look(&self, workers: &Workers, max_cost_usd: f64) -> Duration {
        let mut rates = self.rates.clone();
        rates.sort_by(|a, b| b.total_cmp(a));
        let rate: f64 = rates.iter().take(workers.concurrency as usize).sum();
        wait((max_cost_usd - self.spent - self.open) / rate.max(workers.rate(WorkerKind::Normal)))
    }

    /// Adds what the attempts of a stage have taken, and what its open tasks may take.
    fn add(&mut self, workers: &Workers, stage: &Seen, now: DateTime<Utc>) {
        let bytes = stage.layout.task_bytes(stage.stage) as f64;
        let calls = stage.stage.expected.call_millis.high as f64 / 1e3;
        let calls = calls / stage.layout.tasks.len().max(1) as f64;
        for message in stage.layout.messages(stage.stage) {
            let bytes = bytes * f64::from(message.tasks);
            let large = stage.large.get(&message.task).copied();
            let kind = stage.kind(large.is_some());
            let end = attempts::end_of(&message, &stage.committed);
            let spent = stage.spent(workers, &message, end.unwrap_or(now), bytes, large);
            self.spent += spent;
            if end.is_none() {
                let calls = calls * f64::from(message.tasks);
                let may = workers.estimate(kind, message.tasks, bytes, calls);
                self.open += (may - spent).max(0.0);
                self.rates.push(workers.rate(kind));
            }
        }
    }
}

/// A stage as the bucket's lists show it.
struct Seen<'a> {
    stage: &'a Stage,
    layout: &'a Layout,
    /// By the first task of their messages, in the order of their starts.
    attempts: HashMap<TaskId, Vec<AttemptTimes>>,
    committed: HashMap<&'a str, DateTime<Utc>>,
    /// When tasks were sent on to a large worker.
    large: HashMap<TaskId, DateTime<Utc>>,
}

impl<'a> Seen<'a> {
    /// From the objects of its attempts, its commits and its messages that were given up.
    fn new(
        stage: &'a Stage,
        layout: &'a Layout,
        tried: &[ObjectInfo],
        committed: &'a [ObjectInfo],
        dead: &[ObjectInfo],
    ) -> Self {
        let (run, id) = (&layout.run, layout.stage);
        let mut attempts: HashMap<_, Vec<_>> = HashMap::new();
        for attempt in attempts::of_objects(&Key::stage_attempts_folder(run, id), tried) {
            attempts.entry(attempt.first).or_default().push(attempt);
        }
        attempts.values_mut().for_each(|all| all.sort_by_key(|a| a.started));
        let folder = Key::stage_dead_folder(run, id);
        let task =
            |key: &str| Some(TaskId(key.strip_prefix(&folder)?.split_once('/')?.0.parse().ok()?));
        let mut large = HashMap::new();
        for (task, time) in dead.iter().filter_map(|o| Some((task(&o.key)?, o.modified))) {
            let since = large.entry(task).or_insert(time);
            *since = time.min(*since);
        }
        Self { stage, layout, attempts, committed: attempts::commit_times(committed), large }
    }
}

impl Seen<'_> {
    /// What an attempt runs on.
    fn kind(&self, is_sent_on: bool) -> WorkerKind {
        let worker = self.stage.worker;
        worker.larger().filter(|_| is_sent_on).unwrap_or(worker)
    }

    /// Dollars that the attempts at a message have taken.
    fn spent(
        &self,
        workers: &Workers,
        message: &TaskMessage,
        end: DateTime<Utc>,
        bytes: f64,
        large: Option<DateTime<Utc>>,
    ) -> f64 {
        let attempts = self.attempts.get(&message.task).map_or(&[][..], |a| a);
        let one = |(number, attempt): (usize, &AttemptTimes)| {
            let next = attempts.get(number + 1).map_or(end, |next| next.started.min(end));
            let took = attempt.failed.unwrap_or(next) - attempt.started;
            let kind = self.kind(large.is_some_and(|since| attempt.started >= since));
            let seconds = (took.num_milliseconds() as f64 / 1e3)
                .clamp(0.0, FUNCTION_TIMEOUT_SECONDS)
                + TASK_OVERHEAD_SECONDS_MAX;
            seconds * workers.rate(kind) + workers.requests(message.tasks, bytes)
        };
        attempts.iter().enumerate().map(one).sum()
    }
}

/// The account of a run: a LIST of commits, attempts and given-up messages for each stage that has
/// started.
pub(crate) async fn account(cx: &Context, plan: &Plan) -> Result<Account, BucketError> {
    let mut account = Account::default();
    for stage in plan.stages.iter().filter(|s| s.reused.is_none()) {
        let (run, id) = (&plan.run, stage.id);
        let key = Key::Layout(run, id).to_string();
        let Some(layout) = cx.find::<Layout>(&key).await? else {
            let tasks = stage.partitions.min(cx.workers.concurrency);
            account.rates.extend((0..tasks).map(|_| cx.workers.rate(stage.worker)));
            continue;
        };
        let tried = cx.bucket.list(&Key::stage_attempts_folder(run, id)).await?;
        let committed = cx.bucket.list(&Key::stage_out_folder(run, id)).await?;
        let dead = cx.bucket.list(&Key::stage_dead_folder(run, id)).await?;
        let seen = Seen::new(stage, &layout, &tried, &committed, &dead);
        account.add(&cx.workers, &seen, cx.clock.now());
    }
    Ok(account)
}

/// Dollars that a run has taken until a time, by all the objects of its working folder.
pub(crate) async fn spent(
    bucket: &dyn Bucket,
    plan: &Plan,
    workers: &Workers,
    objects: &[ObjectInfo],
    now: DateTime<Utc>,
) -> Result<f64, BucketError> {
    let mut account = Account::default();
    let run = &plan.run;
    let begun = plan.stages.iter().filter(|s| s.reused.is_none()).map(|stage| async move {
        Ok::<_, BucketError>((
            stage,
            find::<Layout>(bucket, &Key::Layout(run, stage.id).to_string()).await?,
        ))
    });
    for (stage, layout) in try_join_all(begun.collect::<Vec<_>>()).await? {
        let id = stage.id;
        let Some(layout) = layout else { continue };
        let under = |folder: String| -> Vec<ObjectInfo> {
            objects.iter().filter(|o| o.key.starts_with(&folder)).cloned().collect()
        };
        let tried = under(Key::stage_attempts_folder(run, id));
        let committed = under(Key::stage_out_folder(run, id));
        let dead = under(Key::stage_dead_folder(run, id));
        account.add(workers, &Seen::new(stage, &layout, &tried, &committed, &dead), now);
    }
    Ok(account.spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKERS: Workers = Workers {
        mib: 1024,
        large_mib: 4096,
        python_mib: 1024,
        python_sql_mib: 3538,
        large_python_mib: 4096,
        concurrency: 2,
        pollers: 0,
    };

    #[test]
    fn a_budget_is_looked_at_before_all_workers_can_have_taken_it() {
        let rate = WORKERS.rate(WorkerKind::Normal);
        assert!((rate - 0.000_013_733_4).abs() < 1e-9);
        let account = Account { spent: 3.0 * rate, open: rate, rates: vec![rate; 5] };
        let left = account.next_look(&WORKERS, 24.0 * rate).as_secs_f64();
        assert!((left - 10.0).abs() < 1e-6, "two of five messages run at once: {left}");
        assert_eq!(account.next_look(&WORKERS, 4.0 * rate), NEXT_LOOK_MIN);
    }

    #[test]
    fn an_estimate_grows_with_bytes_and_tasks_and_memory_makes_it_no_cheaper() {
        let of = |tasks, bytes| WORKERS.estimate(WorkerKind::Normal, tasks, bytes, 0.0);
        assert!(of(1, 100.0 * MIB) > of(1, 0.0) && of(2, 0.0) > of(1, 0.0));
        let more = Workers { mib: 2048, ..WORKERS };
        assert!(more.estimate(WorkerKind::Normal, 1, 100.0 * MIB, 0.0) >= of(1, 100.0 * MIB));
    }
}
