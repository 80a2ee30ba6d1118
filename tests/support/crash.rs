use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tidemill_protocol::bucket::{Created, NewObject, Object, ObjectInfo};
use tidemill_protocol::queue::QueueError;
use tidemill_protocol::record::{TaskMessage, WatchMessage};
use tidemill_protocol::{Bucket, BucketError, Queue, WorkerKind};

/// A crash at the n-th effect: just before it, or just after it, so that its answer is lost.
#[derive(Debug)]
pub(crate) struct Crash {
    at: u32,
    after: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    effects: u32,
    crashed: bool,
}

impl Crash {
    pub(crate) fn never() -> Arc<Self> {
        Self::at(u32::MAX, false)
    }

    pub(crate) fn at(at: u32, after: bool) -> Arc<Self> {
        Arc::new(Self { at, after, state: Mutex::default() })
    }

    /// Whether it has happened.
    pub(crate) fn happened(&self) -> bool {
        self.state.lock().expect("a state").crashed
    }

    /// Counts an effect; whether it is to be done, and whether its answer is to be lost.
    fn effect(&self) -> (bool, bool) {
        let mut state = self.state.lock().expect("a state");
        let now = state.effects == self.at;
        state.effects += 1;
        state.crashed |= now;
        (!now || self.after, now)
    }
}

fn crashed(key: &str) -> BucketError {
    BucketError::Io { action: "crashing at", key: key.into(), source: "crash".into() }
}

pub(crate) struct CrashingBucket {
    pub(crate) inner: Arc<dyn Bucket>,
    pub(crate) crash: Arc<Crash>,
}

#[async_trait]
impl Bucket for CrashingBucket {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        self.inner.get(key, etag).await
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        self.inner.get_tail(key, bytes).await
    }

    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes, BucketError> {
        self.inner.get_range(key, etag, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError> {
        self.inner.head(key).await
    }

    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError> {
        let key = new.key;
        let (done, lost) = self.crash.effect();
        let created = match done {
            true => Some(self.inner.create(new).await?),
            false => None,
        };
        created.filter(|_| !lost).ok_or_else(|| crashed(key))
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError> {
        let (done, lost) = self.crash.effect();
        if done {
            self.inner.copy(from, to).await?;
        }
        if lost { Err(crashed(to)) } else { Ok(()) }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        let (done, lost) = self.crash.effect();
        if done {
            // a crash in the middle leaves some
            let kept = if lost { keys.len() / 2 } else { 0 };
            self.inner.delete(&keys[kept..]).await?;
        }
        if lost { Err(crashed("keys")) } else { Ok(()) }
    }
}

pub(crate) struct CrashingQueue<Q> {
    pub(crate) inner: Arc<Q>,
    pub(crate) crash: Arc<Crash>,
}

#[async_trait]
impl<Q: Queue> Queue for CrashingQueue<Q> {
    async fn send(&self, to: WorkerKind, messages: &[TaskMessage]) -> Result<(), QueueError> {
        let (done, lost) = self.crash.effect();
        if done {
            // a crash in the middle has sent some
            let sent = if lost { messages.len().div_ceil(2) } else { messages.len() };
            self.inner.send(to, &messages[..sent]).await?;
        }
        if lost {
            return Err(QueueError { count: messages.len(), source: "crash".into() });
        }
        Ok(())
    }

    async fn watch(&self, message: &WatchMessage, delay: Duration) -> Result<(), QueueError> {
        let (done, lost) = self.crash.effect();
        if done {
            self.inner.watch(message, delay).await?;
        }
        if lost { Err(QueueError { count: 1, source: "crash".into() }) } else { Ok(()) }
    }
}
