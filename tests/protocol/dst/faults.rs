use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::AbortHandle;
use tidemill_protocol::bucket::{Created, MemoryBucket, NewObject, Object, ObjectInfo};
use tidemill_protocol::queue::QueueError;
use tidemill_protocol::record::{TaskMessage, WatchMessage};
use tidemill_protocol::{Bucket, BucketError, Clock, Queue, WorkerKind};

use super::clock::ManualClock;
use super::queues::{InFlight, Queues};
use crate::support::dice::{Dice, rng};

/// A mistake in the protocol that the simulation has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// A worker goes on before its commit is there.
    SendsBeforeCommit,
    /// Nobody repairs what the creator of a layout left half done.
    ClaimsWithoutRepair,
    /// Objects are written over what is there.
    Overwrites,
}

/// What happens to one delivery.
#[derive(Debug, Clone, Default)]
pub(super) struct FaultPlan {
    /// The process dies at this effect.
    pub(super) dies_at: Option<u32>,
    /// It dies, or its answer is lost, when the effect is done.
    pub(super) after: bool,
    /// The answer to this effect is an error.
    pub(super) fails_at: Option<u32>,
    /// The longest that a request takes, in milliseconds.
    pub(super) latency: u64,
    /// Its message is not renewed.
    pub(super) forgets: bool,
    /// Its message is delivered again though it was acknowledged.
    pub(super) unheard: bool,
}

/// What all processes did, in order.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) lines: Mutex<Vec<String>>,
    pub(super) lists: AtomicU32,
    pub(super) sent: AtomicU32,
}

impl Trace {
    /// Whether a key of this kind was written or looked for.
    pub(super) fn tells(&self, key: &str) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().any(|line| line.contains(key))
    }

    /// When somebody first closed the run.
    pub(super) fn closed(&self) -> Option<Duration> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |line: &&String| line.contains(" creates ") && line.ends_with("/closed");
        let at = lines.iter().find(is_it)?.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_millis(at))
    }

    pub(super) fn say(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// The bucket and the queues as one process sees them.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) number: u64,
    pub(super) seed: u64,
    pub(super) bucket: Arc<MemoryBucket>,
    pub(super) queues: Arc<Queues>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) trace: Arc<Trace>,
    pub(super) fault_plan: FaultPlan,
    pub(super) kill: AbortHandle,
    pub(super) bug: Option<Bug>,
    pub(super) requests: Arc<AtomicU32>,
    pub(super) effects: Arc<AtomicU32>,
}

impl Process {
    async fn request(&self, what: &str, key: &str) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut rng = rng(self.seed, (self.number << 20) + u64::from(number));
        let wait = Dice(&mut rng).seed() % (self.fault_plan.latency + 1);
        self.clock.sleep(Duration::from_millis(wait)).await;
        let at = self.clock.elapsed().as_millis();
        self.trace.say(format!("{at:>9} process {} {what} {key}", self.number));
    }

    async fn die<T>(&self) -> T {
        self.trace.say(format!("          process {} dies", self.number));
        self.kill.abort();
        std::future::pending().await
    }

    /// Does something that others can see, or dies, or loses the answer.
    async fn effect<T>(
        &self,
        what: &str,
        key: &str,
        act: impl AsyncFnOnce() -> T,
    ) -> Result<T, String> {
        let number = self.effects.fetch_add(1, Ordering::Relaxed);
        self.request(what, key).await;
        let FaultPlan { dies_at, fails_at, after, .. } = self.fault_plan;
        if dies_at == Some(number) && !after {
            return self.die().await;
        }
        if fails_at == Some(number) && !after {
            return Err("no connection".into());
        }
        let done = act().await;
        if dies_at == Some(number) {
            return self.die().await;
        }
        if fails_at == Some(number) { Err("the answer is lost".into()) } else { Ok(done) }
    }
}

fn failed(key: &str) -> impl Fn(String) -> BucketError {
    move |why| BucketError::Io { action: "writing", key: key.into(), source: why.into() }
}

#[async_trait]
impl Bucket for Process {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        self.request("gets", key).await;
        self.bucket.get(key, etag).await
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        self.request("gets the end of", key).await;
        self.bucket.get_tail(key, bytes).await
    }

    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes, BucketError> {
        self.request("gets a part of", key).await;
        self.bucket.get_range(key, etag, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError> {
        self.request("looks for", key).await;
        self.bucket.head(key).await
    }

    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError> {
        let key = new.key;
        let act = async || match self.bug {
            Some(Bug::Overwrites) => {
                self.bucket.delete(&[key.to_owned()]).await?;
                self.bucket.create(new).await
            }
            // what is not written yet is lost with the process
            Some(Bug::SendsBeforeCommit)
                if key.contains("/out/") && self.fault_plan.dies_at.is_some() =>
            {
                Ok(Created::Now)
            }
            _ => self.bucket.create(new).await,
        };
        self.effect("creates", key, act).await.map_err(failed(key))?
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError> {
        let act = async || self.bucket.copy(from, to).await;
        self.effect("copies to", to, act).await.map_err(failed(to))?
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError> {
        self.trace.lists.fetch_add(1, Ordering::Relaxed);
        self.request("lists", prefix).await;
        self.bucket.list(prefix).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        let act = async || self.bucket.delete(keys).await;
        self.effect("deletes", &format!("{} keys", keys.len()), act)
            .await
            .map_err(failed("keys"))?
    }
}

#[async_trait]
impl Queue for Process {
    async fn send(&self, to: WorkerKind, messages: &[TaskMessage]) -> Result<(), QueueError> {
        for batch in messages.chunks(10) {
            let act = async || {
                for message in batch {
                    self.trace.sent.fetch_add(message.tasks, Ordering::Relaxed);
                    self.queues.send(InFlight::Task(to, message.clone()), Duration::ZERO);
                }
            };
            let sent = self.effect("sends", &format!("{} messages", batch.len()), act).await;
            sent.map_err(|why| QueueError { count: messages.len(), source: why.into() })?;
        }
        Ok(())
    }

    async fn watch(&self, message: &WatchMessage, delay: Duration) -> Result<(), QueueError> {
        let act = async || self.queues.send(InFlight::Watch(message.clone()), delay);
        let sent = self.effect("has watched", message.watch.as_str(), act).await;
        sent.map_err(|why| QueueError { count: 1, source: why.into() })
    }
}
