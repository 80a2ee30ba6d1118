//! What a task's calls came to, as the bucket has it: parts that follow each other without a gap.
//!
//! A part is created once, at a key that names its first call, and only by whoever knows that all calls
//! before it are in parts. So the parts of a task are one chain whatever attempts do, a call that is in it
//! has come to what it says, and an attempt goes on where the chain ends.

use futures::future::BoxFuture;

use super::Pack;
use crate::bucket::{Body, Bucket, BucketError, Created, NewObject};
use crate::engine::TaskRequest;
use crate::key::Key;
use crate::record::ResultFile;

/// The metadata with the number of a part's calls.
const ROWS: &str = "rows";

/// The parts of one task.
pub(super) struct Parts<'a> {
    bucket: &'a dyn Bucket,
    request: &'a TaskRequest<'a>,
    /// The first call of the task.
    first: u64,
    /// In the order of their calls.
    pub(super) files: Vec<ResultFile>,
}

/// A part that is being created; nothing, if another attempt was here before.
pub(super) type Writing<'a> = BoxFuture<'a, Result<Option<ResultFile>, BucketError>>;

impl<'a> Parts<'a> {
    /// Those that there are of a task whose first call is this.
    pub(super) async fn find(
        bucket: &'a dyn Bucket,
        request: &'a TaskRequest<'a>,
        first: u64,
    ) -> Result<Self, BucketError> {
        let prefix = Key::calls_parts(request.job, &request.plan.run, request.task);
        let number =
            |key: &str| key.strip_prefix(&prefix)?.strip_suffix(Key::CALLS_PART)?.parse().ok();
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
        Ok(Self { bucket, request, first, files })
    }

    /// The first call that is in none of them.
    pub(super) fn end(&self) -> u64 {
        self.first + self.files.iter().map(|f| f.rows).sum::<u64>()
    }

    /// Creates the next one.
    pub(super) fn create(&self, pack: Pack) -> Writing<'a> {
        let TaskRequest { job, plan, task, attempt, .. } = *self.request;
        let bucket = self.bucket;
        Box::pin(async move {
            let rows = pack.index.len() as u64;
            let key = Key::CallsPart(job, &plan.run, task, pack.index.first).to_string();
            let body = pack.encode();
            let bytes = body.len() as u64;
            let metadata = [(ROWS, rows.to_string())];
            let new = NewObject::new(&key, Body::Bytes(body), attempt);
            let created = bucket.create(NewObject { metadata: &metadata, ..new }).await?;
            let file = ResultFile { key, from: None, rows, bytes };
            Ok((created == Created::Now).then_some(file))
        })
    }
}

async fn rows_of(bucket: &dyn Bucket, key: &str) -> Result<u64, BucketError> {
    let head = bucket.head(key).await?;
    let rows = head.as_ref().and_then(|head| head.metadata(ROWS)?.parse().ok());
    rows.ok_or_else(|| BucketError::NotFound { key: key.to_owned() })
}
