//! The protocol with the real engine, and faults drawn from a seed: messages in any order and twice,
//! processes that die before or after an effect, watchers at any time, runs that are cancelled and
//! taken up again. Only answers are compared.
//! `TIDEMILL_RANDOM_FAULTS_SEED` runs one seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use proptest::test_runner::TestRng;
use serde_json::json;
use tidemill_protocol::dispatch::dispatch;
use tidemill_protocol::record::{Outcome, Status, TaskMessage, WatchMessage};
use tidemill_protocol::watch::{self, Next};
use tidemill_protocol::work::Worker;
use tidemill_protocol::{
    Clock, Context, JobName, Key, ObjectEvent, ProtocolError, RunId, SystemClock, WorkerKind,
};

use crate::engine::{EngineFixture, QUERIES, sorted};
use crate::support::crash::Crash;
use crate::support::dice::Dice;
use crate::support::dice::rng;

/// A message is lost on its way to a process so many times at most.
const LOSSES_MAX: u32 = 3;

/// After so many deliveries a run that has not ended never will.
const DELIVERIES_MAX: usize = 3_000;

#[derive(Debug, Clone)]
enum Letter {
    Event(ObjectEvent),
    Task(WorkerKind, TaskMessage),
    Watch(WatchMessage),
}

#[derive(Debug)]
struct Message {
    letter: Letter,
    number: u64,
    deliveries: u32,
}

/// The machine's clock, put forward.
#[derive(Default)]
struct Forward(AtomicI64);

impl Clock for Forward {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(time)
    }
}

struct RandomFaults {
    fixture: EngineFixture,
    worker: Worker,
    rng: TestRng,
    clock: Arc<Forward>,
    messages: Vec<Message>,
    sent: u64,
    /// Runs that have a watch message.
    watched: Vec<RunId>,
}

impl RandomFaults {
    async fn of_seed(seed: u64) -> Self {
        let fixture = EngineFixture::with_orders().await;
        let worker = Worker::new(fixture.world.engine.clone());
        let clock = Arc::default();
        let rng = rng(seed, 4);
        Self { fixture, worker, rng, clock, messages: vec![], sent: 0, watched: vec![] }
    }

    fn dice(&mut self) -> Dice<'_> {
        Dice(&mut self.rng)
    }

    fn send(&mut self, letter: Letter) {
        self.sent += 1;
        self.messages.push(Message { letter, number: self.sent, deliveries: 0 });
    }

    /// Takes what was sent, and watches runs as soon as they are there.
    async fn collect(&mut self) {
        while let Some((kind, task)) = self.fixture.world.queue.pop_kind() {
            self.send(Letter::Task(kind, task));
        }
        for key in self.fixture.world.keys("runs/").await {
            let run = key.strip_prefix("runs/").and_then(|k| k.strip_suffix("/run.json"));
            let Some(Ok(watch)) = run.map(RunId::parse) else { continue };
            if !self.watched.contains(&watch) {
                self.watched.push(watch.clone());
                let sent = self.clock.now();
                self.send(Letter::Watch(WatchMessage { watch, job: JobName::new("j"), sent }));
            }
        }
    }

    /// Delivers messages until none is left; whether that ever happens.
    async fn deliver_all(&mut self, mut cancel_at: Option<usize>) -> bool {
        for number in 0..DELIVERIES_MAX {
            if self.messages.is_empty() {
                return true;
            }
            self.step().await;
            self.collect().await;
            let is_time = cancel_at.is_some_and(|at| number >= at);
            if let Some(run) = self.watched.first().filter(|_| is_time) {
                watch::cancel(&self.fixture.world.context(1), run).await.expect("cancelled");
                cancel_at = None;
            }
        }
        false
    }

    /// Delivers a message, which may go wrong; it may come again all the same.
    async fn step(&mut self) {
        let only_watch = self.messages.len() == 1;
        let count = self.messages.len();
        let at = self.dice().below(count);
        let seconds = if only_watch { 600 } else { self.dice().below(20) };
        self.clock.0.fetch_add(i64::try_from(seconds).expect("small"), Ordering::Relaxed);
        let message = &mut self.messages[at];
        message.deliveries += 1;
        let (letter, number, delivery) =
            (message.letter.clone(), message.number, message.deliveries);
        let goes_wrong = self.dice().chance(40) && delivery <= LOSSES_MAX;
        let (effect, after) = (self.dice().below(8), self.dice().chance(50));
        let crash = match goes_wrong {
            true => Crash::at(u32::try_from(effect).expect("small"), after),
            false => Crash::never(),
        };
        let kind = match &letter {
            Letter::Task(kind, _) => *kind,
            _ => WorkerKind::Normal,
        };
        let clock = self.clock.clone();
        let cx = self.fixture.world.crashing(&crash, delivery);
        let cx = Context { clock, message: number.to_string(), kind, ..cx };
        let is_done = self.handle(&cx, &letter).await.unwrap_or(false);
        if is_done && !self.dice().chance(10) {
            self.messages.remove(at);
        }
    }

    /// Whether the message is done with.
    async fn handle(&self, cx: &Context, letter: &Letter) -> Result<bool, ProtocolError> {
        match letter {
            Letter::Event(event) => dispatch(cx, &*self.fixture.world.planner, event).await?,
            Letter::Task(_, task) => self.worker.run_tasks(cx, task).await?,
            Letter::Watch(run) => return Ok(watch::watch(cx, run).await? == Next::Closed),
        }
        Ok(true)
    }
}

/// Runs a job among random faults; what is wrong with its end, if anything.
async fn broken(seed: u64) -> Option<String> {
    let mut faults = RandomFaults::of_seed(seed).await;
    let sql = faults.dice().pick(QUERIES);
    let partitions = 1 + faults.dice().below(7);
    let job = json!({ "sql": sql, "options": { "partitions": partitions } });
    let event = faults.fixture.world.upload("jobs/j.json", &job.to_string()).await;
    faults.send(Letter::Event(event));
    let cancel_at = faults.dice().chance(30).then(|| faults.dice().below(40));
    if !faults.deliver_all(cancel_at).await {
        return Some(format!("{sql} does not end: {:?}", faults.messages));
    }
    let mut outcomes = faults.fixture.world.outcomes().await;
    if let [Outcome { status: Status::Cancelled, run, .. }] = &outcomes[..] {
        let retry = json!({ "retry": run }).to_string();
        let event = faults.fixture.world.upload("jobs/again.json", &retry).await;
        faults.send(Letter::Event(event));
        if !faults.deliver_all(None).await {
            return Some(format!("the retry of {sql} does not end: {:?}", faults.messages));
        }
        outcomes = faults.fixture.world.outcomes().await;
        outcomes.retain(|o| o.status != Status::Cancelled);
    }
    let [outcome] = &outcomes[..] else {
        return Some(format!("{sql} has {} outcomes", outcomes.len()));
    };
    let rows = faults.fixture.rows(outcome).await;
    let expected = sorted(faults.fixture.expected(sql).await);
    if rows.clone().map(sorted) != Ok(expected) {
        return Some(format!("{sql} over {partitions} partitions: {rows:?}"));
    }
    let left = faults.fixture.world.keys(&Key::work_folder(&outcome.run)).await;
    (!left.is_empty()).then(|| format!("{sql} leaves {left:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn among_random_faults_the_real_engine_gives_the_answers_of_one_session() {
    let one = std::env::var("TIDEMILL_RANDOM_FAULTS_SEED").ok().and_then(|s| s.parse().ok());
    let seeds = one.map_or(0..100, |seed: u64| seed..seed + 1);
    for seed in seeds {
        if let Some(why) = broken(seed).await {
            panic!("{why}; TIDEMILL_RANDOM_FAULTS_SEED={seed} shows it again");
        }
    }
}
