use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use crate::quotes::{self, Cuts};

/// The pinned files of a table.
#[derive(Debug, Default)]
pub(crate) struct PinnedFiles(HashMap<Path, PinnedFile>);

#[derive(Debug)]
struct PinnedFile {
    etag: String,
    /// It is read by one request: a reader of Parquet would make three.
    is_small: bool,
    /// Of a CSV file that is read in parts: its quotes are counted.
    cuts: Option<Arc<Cuts>>,
}

impl PinnedFiles {
    /// Adds a file of `size` bytes.
    pub(crate) fn insert(&mut self, path: Path, etag: String, size: u64, cuts: Option<Cuts>) {
        let is_small = size <= SMALL_BYTES;
        self.0.insert(path, PinnedFile { etag, is_small, cuts: cuts.map(Arc::new) });
    }
}

/// A view of the bucket that holds the pinned files of one table and nothing else: every GET
/// carries the pinned ETag, every other key is refused, nothing can be written.
#[derive(Debug)]
pub(crate) struct PinnedStore {
    inner: Arc<dyn ObjectStore>,
    files: Arc<PinnedFiles>,
    small: SmallFiles,
}

impl PinnedStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, files: Arc<PinnedFiles>) -> Self {
        Self { inner, files, small: SmallFiles::default() }
    }
}

/// Bytes of a file that is read at once.
const SMALL_BYTES: u64 = 256 * 1024;

/// How many small files are kept: a few for each partition that is read at the same time.
const KEPT: usize = 64;

/// The small files that were read last.
#[derive(Debug, Default)]
struct SmallFiles {
    kept: Mutex<VecDeque<(Path, ObjectMeta, Bytes)>>,
}

impl SmallFiles {
    async fn get(
        &self,
        store: &dyn ObjectStore,
        path: &Path,
        mut options: GetOptions,
    ) -> Result<GetResult> {
        let range = options.range.take();
        let kept = self.lock().iter().find(|(p, ..)| p == path).cloned();
        let (meta, bytes) = match kept {
            Some((_, meta, bytes)) => (meta, bytes),
            None => {
                let got = store.get_opts(path, options).await?;
                let meta = got.meta.clone();
                let bytes = got.bytes().await?;
                let mut kept = self.lock();
                kept.push_front((path.clone(), meta.clone(), bytes.clone()));
                kept.truncate(KEPT);
                (meta, bytes)
            }
        };
        let invalid = |e| Error::Generic { store: "pinned table", source: Box::new(e) };
        let size = bytes.len() as u64;
        let range = match range {
            Some(range) => range.as_range(size).map_err(invalid)?,
            None => 0..size,
        };
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let part = bytes.slice(place(range.start)..place(range.end));
        let payload = GetResultPayload::Stream(stream::once(async { Ok(part) }).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::new() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Path, ObjectMeta, Bytes)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for PinnedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pinned files", self.files.0.len())
    }
}

fn refuse<T>() -> Result<T> {
    Err(Error::NotSupported { source: "a pinned table can only be read".into() })
}

#[async_trait]
impl ObjectStore for PinnedStore {
    async fn get_opts(&self, path: &Path, mut options: GetOptions) -> Result<GetResult> {
        let Some(file) = self.files.0.get(path) else {
            let source = format!("{path} is no file of the plan").into();
            return Err(Error::PermissionDenied { path: path.to_string(), source });
        };
        options.if_match = Some(file.etag.clone());
        let is_part = options.range.is_some();
        if is_part && !options.head && file.is_small {
            return self.small.get(&*self.inner, path, options).await;
        }
        let result = self.inner.get_opts(path, options).await?;
        Ok(match file.cuts.as_ref().filter(|_| is_part) {
            Some(cuts) => quotes::count(result, cuts.clone()),
            None => result,
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        refuse()
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refuse()
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        paths.map(|_| refuse()).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        futures::stream::once(async { refuse() }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        refuse()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        refuse()
    }
}
