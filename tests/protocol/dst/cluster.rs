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
use tidemill_protocol::dispatch::{self, dispatch};
use tidemill_protocol::job::Limits;
use tidemill_protocol::record::Outcome;
use tidemill_protocol::tuning::WATCH_INTERVAL;
use tidemill_protocol::watch::{self, Next};
use tidemill_protocol::work::{self, Worker};
use tidemill_protocol::{
    AttemptId, Bucket, Clock, Context, Engine, Key, ObjectEvent, ProtocolError, RunId, WorkerSize,
    Workers, context,
};

use super::clock::ManualClock;
use super::engine::{NumbersEngine, rng};
use super::faults::{Bug, Fate, Process, Trace};
use super::queues::{HIDDEN, Letter, Message, Queues};
use crate::support::dice::Dice;

/// What is tried with a seed.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) seed: u64,
    /// Of 100 deliveries, how many go wrong.
    pub(super) faults: usize,
    /// A delivery goes wrong only so many times for one message.
    pub(super) patience: u32,
    pub(super) into: bool,
    pub(super) cancel_after: Option<Duration>,
    pub(super) deadline: Option<u32>,
    /// Dollars.
    pub(super) budget: Option<f64>,
    /// The clock is put forward or back by so many seconds then.
    pub(super) jump: Option<(Duration, i64)>,
    pub(super) bug: Option<Bug>,
}

impl Trial {
    pub(super) fn of_seed(seed: u64) -> Self {
        let mut rng = rng(seed, 0);
        let mut dice = Dice(&mut rng);
        let faults = dice.pick(&[0, 5, 20, 20, 50]);
        let hopeless = dice.chance(20);
        let seconds = Duration::from_millis(dice.seed() % 90_000);
        Self {
            seed,
            faults,
            patience: if hopeless { u32::MAX } else { 2 },
            into: dice.chance(30),
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
    pub(super) trial: Trial,
    pub(super) bucket: Arc<MemoryBucket>,
    pub(super) trace: Arc<Trace>,
    pub(super) outcomes: Vec<Outcome>,
    /// Virtual time.
    pub(super) took: Duration,
    pub(super) queues_empty: bool,
}

struct World {
    trial: Trial,
    clock: Arc<ManualClock>,
    bucket: Arc<MemoryBucket>,
    queues: Arc<Queues>,
    trace: Arc<Trace>,
    engine: Arc<dyn Engine>,
    spawner: LocalSpawner,
    processes: Cell<u64>,
}

/// No message waits for a worker.
pub(super) const WORKERS: Workers =
    Workers { mib: 3538, large_mib: 10_240, concurrency: 1000, pollers: 0 };

/// After so much virtual time a run that has not ended never will.
const FOREVER: Duration = Duration::from_secs(8 * 60 * 60);

/// Plays a trial to its end.
pub(super) fn play(trial: Trial) -> End {
    let clock = Arc::new(match trial.jump {
        None => ManualClock::default(),
        Some((at, by)) => ManualClock::jumping(at, TimeDelta::seconds(by)),
    });
    let bucket = Arc::new(MemoryBucket::new(clock.clone()));
    let queues = Arc::new(Queues::new(clock.clone()));
    let trace = Arc::new(Trace::default());
    let engine = Arc::new(NumbersEngine { bucket: bucket.clone(), clock: clock.clone() });
    let mut pool = LocalPool::new();
    let world = Rc::new(World {
        trial: trial.clone(),
        clock: clock.clone(),
        bucket: bucket.clone(),
        queues: queues.clone(),
        trace: trace.clone(),
        engine,
        spawner: pool.spawner(),
        processes: Cell::new(0),
    });
    world.upload();
    loop {
        pool.run_until_stalled();
        world.poll();
        pool.run_until_stalled();
        if !clock.advance() || clock.elapsed() > FOREVER {
            break;
        }
    }
    let outcomes = pool.run_until(outcomes(&bucket));
    let (took, queues_empty) = (clock.elapsed(), queues.is_empty());
    End { trial, bucket, trace, outcomes, took, queues_empty }
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

impl World {
    /// Drops the job, and perhaps cancels its run later.
    fn upload(self: &Rc<Self>) {
        let Trial { seed, into, deadline, budget, cancel_after, .. } = self.trial.clone();
        let mut job = json!({ "sql": seed.to_string() });
        if into {
            job["into"] = json!("tables/numbers/");
        }
        job["options"] = json!({ "deadline": deadline, "max_cost_usd": budget });
        let event = self.put("jobs/numbers.json", &job.to_string());
        self.queues.send(Letter::Event(event), Duration::ZERO);
        if let Some(after) = cancel_after {
            let world = self.clone();
            self.spawn(async move {
                world.clock.sleep(after).await;
                let run = world.bucket.keys().into_iter().find_map(|key| {
                    RunId::parse(key.strip_prefix(Key::RUNS)?.split('/').next()?).ok()
                });
                if let Some(run) = run {
                    let event = world.put(&Key::Cancel(&run).to_string(), "");
                    world.queues.send(Letter::Cancel(event), Duration::ZERO);
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
            let mut rng = rng(self.trial.seed, (number << 32) + visible.as_nanos() as u64);
            let mut dice = Dice(&mut rng);
            let late = if dice.chance(self.trial.faults / 4) { 60_000 } else { 200 };
            let delay = Duration::from_millis(dice.seed() % late);
            let twice = dice.chance(self.trial.faults / 4);
            let world = self.clone();
            self.spawn(async move {
                let wait = visible.saturating_sub(world.clock.elapsed()) + delay;
                world.clock.sleep(wait).await;
                if let Some(message) = world.queues.receive(number, false) {
                    world.deliver(number, message);
                    if twice && let Some(message) = world.queues.receive(number, true) {
                        world.deliver(number, message);
                    }
                }
            });
        }
    }

    /// Starts a process that handles a message.
    fn deliver(self: &Rc<Self>, number: u64, message: Message) {
        let process = self.processes.get();
        self.processes.set(process + 1);
        let fate = self.fate(process, &message);
        let (kill, registration) = AbortHandle::new_pair();
        let world = self.clone();
        let seen = Arc::new(Process {
            number: process,
            seed: self.trial.seed,
            bucket: self.bucket.clone(),
            queues: self.queues.clone(),
            clock: self.clock.clone(),
            trace: self.trace.clone(),
            fate: fate.clone(),
            kill,
            bug: self.trial.bug,
            requests: Arc::new(AtomicU32::new(0)),
            effects: Arc::new(AtomicU32::new(0)),
        });
        self.trace.say(format!("          process {process} gets {message:?}"));
        let cx = self.context(number, process, &message, seen);
        if fate.forgets {
            let world = self.clone();
            self.spawn(async move {
                world.clock.sleep(HIDDEN).await;
                world.queues.release(number, Duration::ZERO);
            });
        }
        self.spawn(async move {
            let handled = world.handle(cx, message.letter);
            match Abortable::new(handled, registration).await {
                Ok(Ok(None)) if fate.unheard => world.queues.release(number, HIDDEN),
                Ok(Ok(None)) => world.queues.delete(number),
                Ok(Ok(Some(after))) => world.queues.release(number, after),
                Ok(Err(_)) | Err(_) => world.queues.release(number, HIDDEN),
            }
        });
    }

    fn fate(&self, process: u64, message: &Message) -> Fate {
        let mut rng = rng(self.trial.seed, u64::MAX - process);
        let mut dice = Dice(&mut rng);
        let mut fate = Fate { latency: 40, ..Fate::default() };
        if message.receives > self.trial.patience || !dice.chance(self.trial.faults) {
            return fate;
        }
        let at = u32::try_from(dice.below(12)).expect("small");
        fate.after = dice.chance(50);
        match dice.below(5) {
            0 | 1 => fate.dies_at = Some(at),
            2 => fate.fails_at = Some(at),
            3 => (fate.forgets, fate.latency) = (true, 20_000),
            _ => fate.unheard = true,
        }
        fate
    }

    fn context(&self, number: u64, process: u64, message: &Message, seen: Arc<Process>) -> Context {
        let repairs = self.trial.bug != Some(Bug::ClaimsWithoutRepair);
        Context {
            bucket: seen.clone(),
            queue: seen,
            clock: self.clock.clone(),
            attempt: AttemptId(format!("process-{process}")),
            log: "log".into(),
            delivery: if repairs { message.receives } else { 1 },
            time_left: Duration::from_secs(895),
            message: number.to_string(),
            size: match message.letter {
                Letter::Task(size, _) => size,
                _ => WorkerSize::Normal,
            },
            workers: WORKERS,
            limits: Limits::default(),
        }
    }

    /// What the functions do with a message: how long it is kept if it is.
    async fn handle(&self, cx: Context, letter: Letter) -> Result<Option<Duration>, ProtocolError> {
        match letter {
            Letter::Event(event) => dispatch(&cx, &*self.engine, &event).await?,
            Letter::Task(_, tasks) => {
                Worker::new(self.engine.clone()).run_tasks(&cx, &tasks).await?;
            }
            Letter::Watch(_) if self.trial.bug == Some(Bug::ClaimsWithoutRepair) => {}
            Letter::Watch(watched) => {
                return Ok(match watch::watch(&cx, &watched).await {
                    Ok(Next::Closed) => None,
                    Ok(Next::Look(after)) => Some(after),
                    Err(_) => Some(WATCH_INTERVAL),
                });
            }
            Letter::Cancel(event) => {
                let run = Key::cancelled_run(&event.key).expect("a cancel key");
                watch::cancel(&cx, &run).await?;
            }
            Letter::Dead(letter) => match *letter {
                Letter::Task(_, tasks) => drop(work::give_up(&cx, &tasks).await?),
                Letter::Event(event) => drop(dispatch::give_up(&cx, &event, "given up").await?),
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
