//! What a task's calls came to, as the bucket has it: parts that follow each other without a gap.
//!
//! A part is created once, at a key that names its first call, and only by whoever knows that all calls
//! before it are in parts. So the parts of a task are one chain whatever attempts do, a call that is in it
//! has come to what it says, and an attempt goes on where the chain ends.

use std::sync::Arc;

use tidemill_protocol::bucket::{Body, Created, NewObject};
use tidemill_protocol::calls::Pack;
use tidemill_protocol::record::ResultFile;
use tidemill_protocol::{Bucket, BucketError, Key, TaskRequest};
use tokio::task::JoinHandle;

/// The metadata with the number of a part's calls.
const ROWS: &str = "rows";

/// The parts of one task.
pub(crate) struct Parts<'a> {
    bucket: &'a Arc<dyn Bucket>,
    request: &'a TaskRequest<'a>,
    /// The first call of the task.
    first: u64,
    /// In the order of their calls.
    pub(crate) files: Vec<ResultFile>,
    writing: Option<JoinHandle<Result<Option<ResultFile>, BucketError>>>,
}

/// Why an attempt does not go on with its parts.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// Another attempt has made the same calls, and more.
    Overtaken,
    Bucket(BucketError),
}

impl From<BucketError> for NotWritten {
    fn from(error: BucketError) -> Self {
        Self::Bucket(error)
    }
}

impl<'a> Parts<'a> {
    /// Those that there are of a task whose first call is this.
    pub(crate) async fn find(
        bucket: &'a Arc<dyn Bucket>,
        request: &'a TaskRequest<'a>,
        first: u64,
    ) -> Result<Self, BucketError> {
        let prefix = Key::calls_parts(request.job, &request.plan.run, request.task);
        let number = |key: &str| key.strip_prefix(&prefix)?.strip_suffix(".calls")?.parse().ok();
        let objects = bucket.list(&prefix).await?;
        let starts: Vec<u64> = objects.iter().filter_map(|o| number(&o.key)).collect();
        let mut files = Vec::with_capacity(objects.len());
        for (at, object) in objects.into_iter().enumerate() {
            let rows = match (starts.get(at), starts.get(at + 1)) {
                (Some(start), Some(next)) => next - start,
                _ => rows_of(bucket, &object.key).await?,
            };
            files.push(ResultFile { key: object.key, from: None, rows, bytes: object.size });
        }
        Ok(Self { bucket, request, first, files, writing: None })
    }

    /// The first call that is in none of them.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.files.iter().map(|f| f.rows).sum::<u64>()
    }

    /// Has a part written, once the one before it is; it is there after [`Self::settle`].
    pub(crate) async fn write(&mut self, pack: Pack) -> Result<(), NotWritten> {
        self.settle().await?;
        if pack.index.is_empty() {
            return Ok(());
        }
        let TaskRequest { job, plan, task, attempt, .. } = *self.request;
        let rows = pack.index.len() as u64;
        let key = Key::CallsPart(job, &plan.run, task, pack.index.first).to_string();
        let (bucket, attempt) = (self.bucket.clone(), attempt.clone());
        self.writing = Some(tokio::spawn(async move {
            let body = pack.encode();
            let bytes = body.len() as u64;
            let metadata = [(ROWS, rows.to_string())];
            let new = NewObject::new(&key, Body::Bytes(body), &attempt);
            let created = bucket.create(NewObject { metadata: &metadata, ..new }).await?;
            let file = ResultFile { key, from: None, rows, bytes };
            Ok((created == Created::Now).then_some(file))
        }));
        Ok(())
    }

    /// Waits until all parts are there.
    pub(crate) async fn settle(&mut self) -> Result<(), NotWritten> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let written = writing.await.unwrap_or_else(|e| {
            let key = Key::calls_parts(self.request.job, &self.request.plan.run, self.request.task);
            Err(BucketError::Io { action: "writing", key, source: e.into() })
        });
        self.files.push(written?.ok_or(NotWritten::Overtaken)?);
        Ok(())
    }
}

async fn rows_of(bucket: &Arc<dyn Bucket>, key: &str) -> Result<u64, BucketError> {
    let head = bucket.head(key).await?;
    let rows = head.as_ref().and_then(|head| head.metadata(ROWS)?.parse().ok());
    rows.ok_or_else(|| BucketError::NotFound { key: key.to_owned() })
}
