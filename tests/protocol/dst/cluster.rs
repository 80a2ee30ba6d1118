use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::executor::{LocalPool, LocalSpawner};
use futures::future::{AbortHandle, Abortable};
use futures::task::LocalSpawnExt;
use serde_json::json;
use tidemill_protocol::bucket::MemoryBucket;
use tidemill_protocol::calls::{CallEngine, CallPlanner};
use tidemill_protocol::dispatch::{self, dispatch};
use tidemill_protocol::job::Limits;
use tidemill_protocol::record::Outcome;
use tidemill_protocol::tuning::WATCH_INTERVAL;
use tidemill_protocol::watch::{self, Next};
use tidemill_protocol::work::{self, Worker};
use tidemill_protocol::{
    AttemptId, Bucket, Clock, Context, Key, ObjectEvent, ProtocolError, RunId, WorkerKind, Workers,
    context,
};

use super::calls::{self, NumbersCaller, NumbersPlanner};
use super::clock::ManualClock;
use super::engine::NumbersEngine;
use super::faults::{Bug, FaultPlan, Process, Trace};
use super::queues::{HIDDEN, InFlight, Message, Queues};
use crate::support::dice::{Dice, rng};

/// What a seed decides.
#[derive(Debug, Clone)]
pub(super) struct SeedSettings {
    pub(super) seed: u64,
    /// Of 100 deliveries, how many go wrong.
    pub(super) faults: usize,
    /// A delivery goes wrong only so many times for one message.
    pub(super) patience: u32,
    pub(super) into: bool,
    /// The job is calls, and no statement.
    pub(super) calls: bool,
    pub(super) cancel_after: Option<Duration>,
    pub(super) deadline: Option<u32>,
    /// Dollars.
    pub(super) budget: Option<f64>,
    /// The clock is put forward or back by so many seconds then.
    pub(super) jump: Option<(Duration, i64)>,
    pub(super) bug: Option<Bug>,
}

impl SeedSettings {
    pub(super) fn of_seed(seed: u64) -> Self {
        let mut rng = rng(seed, 0);
        let mut dice = Dice(&mut rng);
        let faults = dice.pick(&[0, 5, 20, 20, 50]);
        let hopeless = dice.chance(20);
        let seconds = Duration::from_millis(dice.seed() % 90_000);
        let calls = seed % 4 == 3;
        Self {
            seed,
            faults,
            patience: if hopeless { u32::MAX } else { 2 },
            into: dice.chance(30),
            calls,
            cancel_after: dice.chance(5).then_some(seconds),
            deadline: dice.chance(5).then(|| u32::try_from(1 + dice.below(120)).expect("small")),
            budget: dice.chance(10).then(|| Self::budget(&mut dice)),
            jump: dice.chance(10).then(|| {
                let at = Duration::from_millis(dice.seed() % 90_000);
                let by = i64::try_from(dice.below(7200)).expect("small");
                (at, if dice.chance(50) { by } else { -by })
            }),
            bug: None,
        }
    }

    /// From less than a task takes to more than all do.
    pub(super) fn budget(dice: &mut Dice<'_>) -> f64 {
        1e-5 * 1.5_f64.powi(i32::try_from(dice.below(20)).expect("small"))
    }

    /// Nothing that happens may keep the run from succeeding.
    pub(super) fn must_succeed(&self) -> bool {
        // a planner that has been at it for long is given up
        let forward = self.jump.is_some_and(|(_, by)| by > 0);
        let limited = self.deadline.is_some() || self.budget.is_some() || forward;
        self.patience < u32::MAX && self.cancel_after.is_none() && !limited
    }
}

/// What is left when nothing happens any more.
pub(super) struct End {
    pub(super) settings: SeedSettings,
    pub(super) bucket: Arc<MemoryBucket>,
    pub(super) trace: Arc<Trace>,
    pub(super) outcomes: Vec<Outcome>,
    /// Virtual time.
    pub(super) took: Duration,
    pub(super) queues_empty: bool,
}

struct SimulatedCluster {
    settings: SeedSettings,
    clock: Arc<ManualClock>,
    bucket: Arc<MemoryBucket>,
    queues: Arc<Queues>,
    trace: Arc<Trace>,
    engine: Arc<NumbersEngine>,
    spawner: LocalSpawner,
    processes: Cell<u64>,
}

/// No message waits for a worker.
pub(super) const WORKERS: Workers = Workers {
    mib: 3538,
    large_mib: 10_240,
    python_mib: 1769,
    large_python_mib: 10_240,
    python_sql_mib: 3538,
    concurrency: 1000,
    pollers: 0,
};

/// After so much virtual time a run that has not ended never will.
const FOREVER: Duration = Duration::from_secs(8 * 60 * 60);

/// Simulates what a seed decides, to its end.
pub(super) fn simulate(settings: SeedSettings) -> End {
    let clock = Arc::new(match settings.jump {
        None => ManualClock::default(),
        Some((at, by)) => ManualClock::jumping(at, TimeDelta::seconds(by)),
    });
    let bucket = Arc::new(MemoryBucket::new(clock.clone()));
    let queues = Arc::new(Queues::new(clock.clone()));
    let trace = Arc::new(Trace::default());
    let engine = Arc::new(NumbersEngine { bucket: bucket.clone(), clock: clock.clone() });
    let mut pool = LocalPool::new();
    let cluster = Rc::new(SimulatedCluster {
        settings: settings.clone(),
        clock: clock.clone(),
        bucket: bucket.clone(),
        queues: queues.clone(),
        trace: trace.clone(),
        engine,
        spawner: pool.spawner(),
        processes: Cell::new(0),
    });
    cluster.upload();
    loop {
        pool.run_until_stalled();
        cluster.poll();
        pool.run_until_stalled();
        if !clock.advance() || clock.elapsed() > FOREVER {
            break;
        }
    }
    let outcomes = pool.run_until(outcomes(&bucket));
    let (took, queues_empty) = (clock.elapsed(), queues.is_empty());
    End { settings, bucket, trace, outcomes, took, queues_empty }
}

async fn outcomes(bucket: &Arc<MemoryBucket>) -> Vec<Outcome> {
    let mut found = vec![];
    for key in bucket.keys() {
        if key.ends_with("/outcome.json") {
            let outcome = context::find(&**bucket, &key).await.expect("readable");
            found.push(outcome.expect("an outcome"));
        }
    }
    found
}

impl SimulatedCluster {
    /// Drops the job, and perhaps cancels its run later.
    fn upload(self: &Rc<Self>) {
        let SeedSettings { seed, into, deadline, budget, cancel_after, .. } = self.settings.clone();
        let mut job = json!({ "sql": seed.to_string() });
        if self.settings.calls {
            let (arguments, calls) = calls::job(seed);
            self.bucket.put(calls::ARGUMENTS, arguments);
            job = calls;
        }
        if into {
            job["into"] = json!("tables/numbers/");
        }
        job["options"] = json!({ "deadline": deadline, "max_cost_usd": budget });
        let event = self.put("jobs/numbers.json", &job.to_string());
        self.queues.send(InFlight::Event(event), Duration::ZERO);
        if let Some(after) = cancel_after {
            let cluster = self.clone();
            self.spawn(async move {
                cluster.clock.sleep(after).await;
                let run = cluster.bucket.keys().into_iter().find_map(|key| {
                    RunId::parse(key.strip_prefix(Key::RUNS)?.split('/').next()?).ok()
                });
                if let Some(run) = run {
                    let event = cluster.put(&Key::Cancel(&run).to_string(), "");
                    cluster.queues.send(InFlight::Cancel(event), Duration::ZERO);
                }
            });
        }
    }

    fn put(&self, key: &str, text: &str) -> ObjectEvent {
        let etag = self.bucket.put(key, text.to_owned());
        ObjectEvent {
            bucket: "b".into(),
            key: key.into(),
            size: text.len() as u64,
            etag,
            sequencer: "1".into(),
            time: self.clock.now(),
        }
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.spawner.spawn_local(work).expect("the pool lives");
    }

    /// Tries to receive each message at some time after it becomes visible.
    fn poll(self: &Rc<Self>) {
        for (number, visible) in self.queues.news() {
            let mut rng = rng(self.settings.seed, (number << 32) + visible.as_nanos() as u64);
            let mut dice = Dice(&mut rng);
            let late = if dice.chance(self.settings.faults / 4) { 60_000 } else { 200 };
            let delay = Duration::from_millis(dice.seed() % late);
            let twice = dice.chance(self.settings.faults / 4);
            let cluster = self.clone();
            self.spawn(async move {
                let wait = visible.saturating_sub(cluster.clock.elapsed()) + delay;
                cluster.clock.sleep(wait).await;
                if let Some(message) = cluster.queues.receive(number, false) {
                    cluster.deliver(number, message);
                    if twice && let Some(message) = cluster.queues.receive(number, true) {
                        cluster.deliver(number, message);
                    }
                }
            });
        }
    }

    /// Starts a process that handles a message.
    fn deliver(self: &Rc<Self>, number: u64, message: Message) {
        let process = self.processes.get();
        self.processes.set(process + 1);
        let fault_plan = self.draw_faults(process, &message);
        let (kill, registration) = AbortHandle::new_pair();
        let cluster = self.clone();
        let seen = Arc::new(Process {
            number: process,
            seed: self.settings.seed,
            bucket: self.bucket.clone(),
            queues: self.queues.clone(),
            clock: self.clock.clone(),
            trace: self.trace.clone(),
            fault_plan: fault_plan.clone(),
            kill,
            bug: self.settings.bug,
            requests: Arc::new(AtomicU32::new(0)),
            effects: Arc::new(AtomicU32::new(0)),
        });
        self.trace.say(format!("          process {process} gets {message:?}"));
        let cx = self.context(number, process, &message, seen);
        if fault_plan.forgets {
            let cluster = self.clone();
            self.spawn(async move {
                cluster.clock.sleep(HIDDEN).await;
                cluster.queues.release(number, Duration::ZERO);
            });
        }
        self.spawn(async move {
            let handled = cluster.handle(cx, message.in_flight);
            match Abortable::new(handled, registration).await {
                Ok(Ok(None)) if fault_plan.unheard => cluster.queues.release(number, HIDDEN),
                Ok(Ok(None)) => cluster.queues.delete(number),
                Ok(Ok(Some(after))) => cluster.queues.release(number, after),
                Ok(Err(_)) | Err(_) => cluster.queues.release(number, HIDDEN),
            }
        });
    }

    fn draw_faults(&self, process: u64, message: &Message) -> FaultPlan {
        let mut rng = rng(self.settings.seed, u64::MAX - process);
        let mut dice = Dice(&mut rng);
        let mut fault_plan = FaultPlan { latency: 40, ..FaultPlan::default() };
        if message.receives > self.settings.patience || !dice.chance(self.settings.faults) {
            return fault_plan;
        }
        let at = u32::try_from(dice.below(12)).expect("small");
        fault_plan.after = dice.chance(50);
        match dice.below(5) {
            0 | 1 => fault_plan.dies_at = Some(at),
            2 => fault_plan.fails_at = Some(at),
            3 => (fault_plan.forgets, fault_plan.latency) = (true, 20_000),
            _ => fault_plan.unheard = true,
        }
        fault_plan
    }

    fn context(&self, number: u64, process: u64, message: &Message, seen: Arc<Process>) -> Context {
        let repairs = self.settings.bug != Some(Bug::ClaimsWithoutRepair);
        Context {
            bucket: seen.clone(),
            queue: seen,
            clock: self.clock.clone(),
            attempt: AttemptId(format!("process-{process}")),
            log: "log".into(),
            last_lines: String::new,
            delivery: if repairs { message.receives } else { 1 },
            time_left: Duration::from_secs(895),
            message: number.to_string(),
            kind: match message.in_flight {
                InFlight::Task(kind, _) => kind,
                _ => WorkerKind::Normal,
            },
            workers: WORKERS,
            limits: Limits::default(),
        }
    }

    fn worker(&self, cx: &Context, kind: WorkerKind) -> Worker {
        if !self.settings.calls {
            return Worker::new(self.engine.clone());
        }
        let (seed, clock) = (self.settings.seed, self.clock.clone());
        let into = self.settings.into;
        let caller = NumbersCaller { seed, clock: clock.clone(), kind, into };
        Worker::new(Arc::new(CallEngine::new(cx.bucket.clone(), clock, caller)))
    }

    /// What the functions do with a message: how long it is kept if it is.
    async fn handle(
        &self,
        cx: Context,
        in_flight: InFlight,
    ) -> Result<Option<Duration>, ProtocolError> {
        match in_flight {
            InFlight::Event(event) if self.settings.calls => {
                let calls = CallPlanner::new(cx.bucket.clone(), Some(2));
                let planner = NumbersPlanner { calls };
                dispatch(&cx, &planner, &event).await?;
            }
            InFlight::Event(event) => dispatch(&cx, &*self.engine, &event).await?,
            InFlight::Task(kind, tasks) => {
                self.worker(&cx, kind).run_tasks(&cx, &tasks).await?;
            }
            InFlight::Watch(_) if self.settings.bug == Some(Bug::ClaimsWithoutRepair) => {}
            InFlight::Watch(watched) => {
                return Ok(match watch::watch(&cx, &watched).await {
                    Ok(Next::Closed) => None,
                    Ok(Next::Look(after)) => Some(after),
                    Err(_) => Some(WATCH_INTERVAL),
                });
            }
            InFlight::Cancel(event) => {
                let run = Key::cancelled_run(&event.key).expect("a cancel key");
                watch::cancel(&cx, &run).await?;
            }
            InFlight::Dead(in_flight) => match *in_flight {
                InFlight::Task(_, tasks) => drop(work::give_up(&cx, &tasks).await?),
                InFlight::Event(event) => drop(dispatch::give_up(&cx, &event, "given up").await?),
                _ => unreachable!("only these have a limit"),
            },
        }
        Ok(None)
    }
}

impl End {
    pub(super) fn sent(&self) -> u32 {
        self.trace.sent.load(Ordering::Relaxed)
    }

    pub(super) fn lists(&self) -> u32 {
        self.trace.lists.load(Ordering::Relaxed)
    }

    /// Seconds that workers had worked at a time, counted by the start records that are there, and
    /// how many were at work in the last five.
    pub(super) fn worked(&self, at: DateTime<Utc>) -> (f64, u32) {
        let objects = futures::executor::block_on(self.bucket.list(Key::WORK)).expect("a list");
        let (mut seconds, mut alive) = (0.0, 0);
        for start in objects.iter().filter(|o| o.key.contains("/attempts/")) {
            let task = start.key.replace("/attempts/", "/out/");
            let (stage, task) =
                task.rsplit_once('/').expect("an attempt").0.rsplit_once('/').expect("a task");
            let group = task.parse::<u32>().expect("a number") / 64;
            let commit = format!("{stage}/{group:04}/{task}");
            let end = objects.iter().find(|o| o.key == commit).map_or(at, |o| o.modified).min(at);
            seconds += (end - start.modified).as_seconds_f64().max(0.0);
            alive += u32::from(at - end < TimeDelta::seconds(5));
        }
        (seconds, alive)
    }

    /// Reads an object.
    pub(super) fn read(&self, key: &str) -> Option<Vec<u8>> {
        let found = futures::executor::block_on(self.bucket.get(key, None)).ok()?;
        Some(found.bytes.to_vec())
    }
}
