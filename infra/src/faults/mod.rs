//! Faults on purpose: what AWS does seldom is done often, so that it can be seen that nothing is
//! lost and nothing runs twice.
//!
//! Each process of a function has a session token of its own, so that its requests are known: it
//! can be killed before or after any of them.

mod spec;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::{HeaderMap, Method};
use tokio::sync::mpsc;
use tracing::info;

pub use spec::Faults;

use crate::iam::TOKEN;
use spec::{Kind, Rule};

/// A doomed invocation makes at most so many requests after its first sign of life.
const DOOMED_REQUESTS_MAX: u32 = 16;

/// An invocation without memory dies at this write to S3: the first says that it has started, the
/// second would be what it has made.
const FATAL_WRITE_NUMBER: u32 = 2;

/// How long a request of a slow invocation waits at most.
const REQUEST_DELAY_MAX: Duration = Duration::from_millis(500);

/// How much later a message arrives at most.
const MESSAGE_DELAY_MAX: Duration = Duration::from_secs(5);

/// Decides which faults happen, and counts them.
#[derive(Debug)]
pub(crate) struct Injector {
    faults: Faults,
    /// Functions of whose binary there is one with more memory.
    have_larger: BTreeSet<String>,
    dice: Mutex<fastrand::Rng>,
    /// What becomes of the invocations under way, by the token of their process.
    fates: Mutex<HashMap<String, Fate>>,
    counts: Mutex<BTreeMap<Kind, u64>>,
}

/// A message that an invocation handles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) message: &'a str,
    pub(crate) receives: u32,
}

/// What becomes of an invocation.
#[derive(Debug)]
struct Fate {
    function: String,
    slow: bool,
    death: Option<Death>,
}

/// When a process is killed.
#[derive(Debug)]
struct Death {
    kind: Kind,
    /// Whether it has said that it lives: one that dies before costs its queue's whole visibility,
    /// which is the platform's to shorten.
    lives: bool,
    /// Requests that it has left; writes to S3, of one without memory.
    requests: u32,
    /// Whether the last of them has its effect.
    after_effect: bool,
    kill: mpsc::Sender<()>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) wait: Duration,
    pub(crate) has_effect: bool,
    pub(crate) is_answered: bool,
    /// Ends the process that made it, before its answer.
    pub(crate) kill: Option<mpsc::Sender<()>>,
}

impl Verdict {
    const SPARED: Self =
        Self { wait: Duration::ZERO, has_effect: true, is_answered: true, kill: None };
}

/// The answer does not arrive.
#[derive(Debug, thiserror::Error)]
#[error("the answer was lost on purpose")]
pub(crate) struct Lost;

/// An invocation under way; forgotten when this is dropped.
#[derive(Debug)]
pub(crate) struct InvocationGuard<'a> {
    injector: &'a Injector,
    token: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What faults may be of.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// Of functions and queues.
    pub(crate) names: BTreeSet<String>,
    /// The functions of whose program there is one with more memory.
    pub(crate) have_larger: BTreeSet<String>,
}

impl Injector {
    /// # Errors
    /// A fault names a target that there is not.
    pub(crate) fn new(faults: Faults, targets: Targets) -> Result<Arc<Self>, String> {
        for target in faults.rules.iter().filter_map(|r| r.target.as_deref()) {
            if !targets.names.contains(target) {
                let known: Vec<_> = targets.names.into_iter().collect();
                return Err(format!("there is no '{target}' to fail, only {}", known.join(", ")));
            }
        }
        Ok(Arc::new(Self {
            have_larger: targets.have_larger,
            dice: Mutex::new(fastrand::Rng::with_seed(faults.seed)),
            faults,
            fates: Mutex::default(),
            counts: Mutex::default(),
        }))
    }

    /// How often each fault has happened.
    pub(crate) fn summary(&self) -> String {
        let counts = lock(&self.counts);
        let counts: Vec<_> = counts.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        if counts.is_empty() { "none".into() } else { counts.join(", ") }
    }

    /// Decides what becomes of an invocation. `kill` ends its process.
    pub(crate) fn begin(
        &self,
        function: &str,
        token: &str,
        deliveries: &[Delivery<'_>],
        kill: mpsc::Sender<()>,
    ) -> InvocationGuard<'_> {
        let is_first = deliveries.iter().all(|d| d.receives == 1);
        let death = if deliveries.iter().any(|d| self.is_too_large(function, d.message)) {
            Some(Kind::OutOfMemory)
        } else if is_first && self.strikes(Kind::KillFirst, function) {
            Some(Kind::KillFirst)
        } else {
            self.strikes(Kind::Kill, function).then_some(Kind::Kill)
        };
        let death = death.map(|kind| {
            let mut dice = lock(&self.dice);
            let (requests, after_effect) = match kind {
                Kind::OutOfMemory => (FATAL_WRITE_NUMBER, false),
                _ => (dice.u32(1..=DOOMED_REQUESTS_MAX), dice.bool()),
            };
            Death { kind, lives: false, requests, after_effect, kill }
        });
        let slow = self.strikes(Kind::Slow, function);
        if slow {
            self.count(Kind::Slow);
        }
        let fate = Fate { function: function.to_owned(), slow, death };
        lock(&self.fates).insert(token.to_owned(), fate);
        InvocationGuard { injector: self, token: token.to_owned() }
    }

    /// Decides what becomes of a request to S3, or to SQS: that one is a sign of life.
    pub(crate) fn judge(&self, method: &Method, headers: &HeaderMap, is_sqs: bool) -> Verdict {
        let token = headers.get(TOKEN).and_then(|t| t.to_str().ok()).unwrap_or_default();
        let mut fates = lock(&self.fates);
        let Some(fate) = fates.get_mut(token) else { return Verdict::SPARED };
        let wait = if fate.slow { self.up_to(REQUEST_DELAY_MAX) } else { Duration::ZERO };
        let is_last = fate.death.as_mut().is_some_and(|death| death.is_last(method, is_sqs));
        if let Some(death) = fate.death.take_if(|_| is_last) {
            let Death { kind, after_effect, kill, .. } = death;
            self.count(kind);
            info!(process = token, %kind, after_effect, "fault: killed");
            return Verdict {
                wait,
                has_effect: after_effect,
                is_answered: false,
                kill: Some(kill),
            };
        }
        let is_write = !matches!(*method, Method::GET | Method::HEAD);
        let is_lost = is_write && self.strikes(Kind::Lose, &fate.function);
        if is_lost {
            self.count(Kind::Lose);
            info!(process = token, %method, "fault: answer lost");
        }
        Verdict { wait, is_answered: !is_lost, ..Verdict::SPARED }
    }

    /// How much later a message arrives, and how much later than now a second time.
    pub(crate) fn sending(&self, queue: &str) -> (Option<Duration>, Option<Duration>) {
        let may = |kind| {
            self.strikes(kind, queue).then(|| {
                self.count(kind);
                self.up_to(MESSAGE_DELAY_MAX)
            })
        };
        (may(Kind::Delay), may(Kind::Duplicate))
    }

    /// What is too large for a function is so every time.
    fn is_too_large(&self, function: &str, message: &str) -> bool {
        let p = self.probability(Kind::OutOfMemory, function);
        let mut seed = self.faults.seed;
        for byte in message.bytes() {
            seed = seed.wrapping_mul(31).wrapping_add(u64::from(byte));
        }
        self.have_larger.contains(function) && fastrand::Rng::with_seed(seed).f64() < p
    }

    fn strikes(&self, kind: Kind, target: &str) -> bool {
        let p = self.probability(kind, target);
        p > 0.0 && lock(&self.dice).f64() < p
    }

    /// The rule that names the target comes before the one for all.
    fn probability(&self, kind: Kind, target: &str) -> f64 {
        let rules = || self.faults.rules.iter().filter(|r| r.kind == kind);
        let named = rules().find(|r| r.target.as_deref() == Some(target));
        let found = named.or_else(|| rules().find(|r: &&Rule| r.target.is_none()));
        found.map_or(0.0, |r| r.probability)
    }

    fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(lock(&self.dice).f64())
    }

    fn count(&self, kind: Kind) {
        *lock(&self.counts).entry(kind).or_default() += 1;
    }
}

impl Death {
    fn is_last(&mut self, method: &Method, is_sqs: bool) -> bool {
        if self.kind == Kind::OutOfMemory {
            self.requests -= u32::from(*method == Method::PUT);
            return self.requests == 0;
        }
        let is_sign_of_life = !self.lives && is_sqs;
        self.lives |= is_sign_of_life;
        if self.lives {
            self.requests -= 1;
        }
        let is_last = self.requests == 0;
        self.after_effect |= is_last && is_sign_of_life;
        is_last
    }
}

impl InvocationGuard<'_> {
    /// Whether the invocation is to die at its end, since it has not died before.
    pub(crate) fn dies_at_last(&self) -> bool {
        let mut fates = lock(&self.injector.fates);
        let death = fates.get_mut(&self.token).and_then(|fate| fate.death.take());
        // its memory may have sufficed for what it did
        let death = death.filter(|d| d.kind != Kind::OutOfMemory);
        if let Some(Death { kind, .. }) = &death {
            self.injector.count(*kind);
            info!(process = self.token, %kind, "fault: killed as it answered");
        }
        death.is_some()
    }
}

impl Drop for InvocationGuard<'_> {
    fn drop(&mut self) {
        lock(&self.injector.fates).remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker, and a larger one of the same program.
    fn injector(faults: &str) -> Arc<Injector> {
        let targets = Targets {
            names: ["Worker", "LargeWorker"].map(str::to_owned).into(),
            have_larger: ["Worker".to_owned()].into(),
        };
        Injector::new(faults.parse().expect("faults"), targets).expect("an injector")
    }

    /// At which request an invocation is killed, and whether that has its effect.
    fn death(injector: &Injector, function: &str, receives: u32) -> Option<(usize, bool)> {
        let (kill, _kills) = mpsc::channel(1);
        let delivery = Delivery { message: "m", receives };
        let guard = injector.begin(function, "worker-1", &[delivery], kill);
        let mut headers = HeaderMap::new();
        headers.insert(TOKEN, "worker-1".parse().expect("a value"));
        // three before it says that it lives, then reads and writes in turn
        for number in 0..40 {
            let verdict = match number {
                3 => injector.judge(&Method::POST, &headers, true),
                n if n % 2 == 0 => injector.judge(&Method::GET, &headers, false),
                _ => injector.judge(&Method::PUT, &headers, false),
            };
            if verdict.kill.is_some() {
                assert!(!verdict.is_answered && !guard.dies_at_last());
                return Some((number, verdict.has_effect));
            }
        }
        None
    }

    #[test]
    fn a_process_is_killed_before_and_after_any_request_once_it_has_said_that_it_lives() {
        let injector = injector("kill=1,seed=1");
        let ends: BTreeSet<_> = (0..400).filter_map(|_| death(&injector, "Worker", 2)).collect();
        let expected: BTreeSet<_> =
            (3..19).flat_map(|n| [(n, false), (n, true)]).filter(|e| *e != (3, false)).collect();
        assert_eq!(ends, expected);
        assert_eq!(injector.summary(), "kill 400");
    }

    #[test]
    fn only_first_deliveries_are_killed_where_that_is_asked_for() {
        let injector = injector("kill-first=1,seed=1");
        assert!(death(&injector, "Worker", 1).is_some());
        assert!(death(&injector, "Worker", 2).is_none());
    }

    #[test]
    fn what_does_not_fit_dies_at_its_second_write_each_time_but_not_where_there_is_more_memory() {
        let injector = injector("oom=1,seed=1");
        assert_eq!([1, 2, 3].map(|n| death(&injector, "Worker", n)), [Some((5, false)); 3]);
        assert_eq!(death(&injector, "LargeWorker", 1), None);
    }

    #[test]
    fn a_lost_answer_is_that_of_a_write_that_has_happened() {
        let injector = injector("lose=1,seed=1");
        let (kill, _kills) = mpsc::channel(1);
        let delivery = Delivery { message: "m", receives: 1 };
        let _guard = injector.begin("Worker", "worker-1", &[delivery], kill);
        let mut headers = HeaderMap::new();
        let of = |method: Method, headers: &HeaderMap| {
            let verdict = injector.judge(&method, headers, false);
            (verdict.has_effect, verdict.is_answered)
        };
        assert_eq!(of(Method::PUT, &headers), (true, true), "a user's own request");
        headers.insert(TOKEN, "worker-1".parse().expect("a value"));
        assert_eq!(of(Method::GET, &headers), (true, true));
        assert_eq!(of(Method::PUT, &headers), (true, false));
    }

    #[test]
    fn a_target_that_there_is_not_is_refused_by_name() {
        let faults = "kill@Wroker=1".parse().expect("faults");
        let error = Injector::new(faults, Targets::default()).expect_err("refused");
        assert!(error.contains("'Wroker'"), "{error}");
    }
}
