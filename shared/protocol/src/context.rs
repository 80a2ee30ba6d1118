//! What every step of the protocol needs.

use std::sync::Arc;
use std::time::Duration;

use crate::bucket::{self, Bucket, BucketError, Created};
use crate::clock::Clock;
use crate::cost::Workers;
use crate::engine::EngineError;
use crate::ids::AttemptId;
use crate::job::Limits;
use crate::queue::{Queue, QueueError, WorkerKind};
use crate::record::Versioned;

/// Storage, queue and time of an invocation, its identity, and what it may take.
#[derive(Clone)]
pub struct Context {
    pub bucket: Arc<dyn Bucket>,
    pub queue: Arc<dyn Queue>,
    pub clock: Arc<dyn Clock>,
    /// Marks what this invocation creates.
    pub attempt: AttemptId,
    /// Where the log of this invocation is, for people.
    pub log: String,
    /// The last lines of that log, as far as this process wrote them.
    pub last_lines: fn() -> String,
    /// Which delivery of its message this is, from 1. Later deliveries repair what an earlier
    /// one may have left half done.
    pub delivery: u32,
    /// How long this invocation may still take.
    pub time_left: Duration,
    /// Which message brought us here: it stays the same from delivery to delivery.
    pub message: String,
    /// What we run on, and where a task goes that needs more.
    pub kind: WorkerKind,
    /// What a budget is counted by.
    pub workers: Workers,
    /// Of jobs that have none of their own.
    pub limits: Limits,
}

impl Context {
    /// Whether an earlier delivery may have crashed between two writes.
    pub fn repairs(&self) -> bool {
        self.delivery > 1
    }

    /// The same, doing again what may have been left half done.
    pub(crate) fn repairing(&self) -> Self {
        Self { delivery: self.delivery.max(2), ..self.clone() }
    }

    /// Bounds a computation by the time that is left, so that it ends with a reason before the
    /// platform kills it without one.
    pub(crate) async fn in_time<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep(self.time_left) => Err(EngineError::Refused(format!(
                "{what} was not done within the function's {} seconds; a job is spread over more \
                 tasks with the option partitions",
                self.time_left.as_secs()
            ))),
        }
    }

    pub(crate) async fn create<T: serde::Serialize + Sync + Send>(
        &self,
        key: String,
        record: T,
    ) -> Result<Created, BucketError> {
        create(&*self.bucket, &key, &record, &self.attempt).await
    }

    /// Creates an object whose existence is all that it says.
    pub(crate) async fn mark(&self, key: String) -> Result<Created, BucketError> {
        let empty = bucket::Body::Bytes(bytes::Bytes::new());
        self.bucket.create(bucket::NewObject::new(&key, empty, &self.attempt)).await
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, BucketError> {
        Ok(self.bucket.head(key).await?.is_some())
    }

    pub(crate) async fn find<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, BucketError> {
        find(&*self.bucket, key).await
    }

    pub(crate) async fn read<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<T, BucketError> {
        bucket::read_json(&*self.bucket, key).await.map(Versioned::into_latest)
    }
}

/// Reads a record, or `None` if there is none.
pub async fn find<T: serde::de::DeserializeOwned>(
    bucket: &dyn Bucket,
    key: &str,
) -> Result<Option<T>, BucketError> {
    Ok(bucket::find_json(bucket, key).await?.map(Versioned::into_latest))
}

/// Creates a record if there is none of its key.
///
/// # Errors
/// The bucket cannot be written to.
pub async fn create<T: serde::Serialize + Sync>(
    bucket: &dyn Bucket,
    key: &str,
    record: &T,
    attempt: &AttemptId,
) -> Result<Created, BucketError> {
    bucket::create_json(bucket, key, &Versioned::V1(record), attempt).await
}

/// Why a step did not end; its message is delivered again.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the plan of {run} has no {what}: the message is not one of this version")]
    NotInPlan { run: String, what: String },
}

/// An error with its causes, as one line for people.
pub fn full_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
