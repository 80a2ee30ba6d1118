//! Counts what a task uses, for its commit and the manifest.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use tidemill_protocol::Key;
use tidemill_protocol::record::Usage;

use crate::quarantine::Rejects;

/// GET requests, and the bytes that came.
#[derive(Debug, Default)]
struct Reads {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Reads {
    fn load(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// The counters of one task.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    tables: Reads,
    exchanges: Reads,
    peak_memory: AtomicUsize,
    /// The lines that could not be read.
    pub(crate) rejects: Arc<Rejects>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            tables: Reads::default(),
            exchanges: Reads::default(),
            peak_memory: AtomicUsize::default(),
            rejects: Arc::default(),
        }
    }
}

impl Meter {
    /// Notes what a pool holds.
    pub(crate) fn note_memory(&self, bytes: usize) {
        self.peak_memory.fetch_max(bytes, Ordering::Relaxed);
    }

    /// What has been used so far by the task that runs `plan`.
    pub(crate) fn usage(&self, plan: &Arc<dyn ExecutionPlan>) -> Usage {
        let (requests, bytes) = self.tables.load();
        let (exchange_requests, exchange_bytes) = self.exchanges.load();
        let milliseconds = self.started.elapsed().as_millis();
        Usage {
            requests: requests + exchange_requests,
            read_bytes: bytes + exchange_bytes,
            exchange_requests,
            exchange_bytes,
            milliseconds: u64::try_from(milliseconds).unwrap_or(u64::MAX),
            peak_memory_bytes: self.peak_memory.load(Ordering::Relaxed) as u64,
            spilled_bytes: spilled_bytes(plan),
            large_tasks: 0,
        }
    }

    /// Counts a GET and the bytes that come.
    fn count(self: &Arc<Self>, reads: fn(&Self) -> &Reads, result: GetResult) -> GetResult {
        reads(self).requests.fetch_add(1, Ordering::Relaxed);
        let (meta, range, attributes) =
            (result.meta.clone(), result.range.clone(), result.attributes.clone());
        let meter = self.clone();
        let counted = result.into_stream().inspect(move |piece| {
            let bytes = piece.as_ref().map_or(0, Bytes::len);
            reads(&meter).bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        });
        GetResult { payload: GetResultPayload::Stream(counted.boxed()), meta, range, attributes }
    }
}

fn spilled_bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let own = plan.metrics().and_then(|m| m.spilled_bytes()).unwrap_or(0) as u64;
    own + plan.children().into_iter().map(spilled_bytes).sum::<u64>()
}

/// A store whose reads are counted.
#[derive(Debug)]
pub(crate) struct MeteredStore {
    inner: Arc<dyn ObjectStore>,
    meter: Arc<Meter>,
}

impl MeteredStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl fmt::Display for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let is_head = options.head;
        let result = self.inner.get_opts(path, options).await?;
        if is_head {
            return Ok(result);
        }
        let is_exchange = path.as_ref().starts_with(Key::WORK);
        let reads: fn(&Meter) -> &Reads =
            if is_exchange { |m| &m.exchanges } else { |m| &m.tables };
        Ok(self.meter.count(reads, result))
    }

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
