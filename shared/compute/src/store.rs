use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use crate::quarantine::{self, FilePart, Rejects, Rules};
use crate::quotes::{self, Cuts};
use crate::table::TableFile;

/// The pinned files of a table.
#[derive(Debug, Default)]
pub(crate) struct PinnedFiles {
    files: HashMap<Path, PinnedFile>,
    /// What their lines have to be, if those that are not are set aside.
    rules: Option<Arc<Rules>>,
}

#[derive(Debug)]
struct PinnedFile {
    /// In its table.
    number: usize,
    etag: String,
    /// Bytes.
    size: u64,
    gzip: bool,
    /// It is read by one request: a reader of Parquet would make three.
    is_small: bool,
    /// Of a CSV file that is read in parts: its quotes are counted.
    cuts: Option<Arc<Cuts>>,
}

impl PinnedFiles {
    /// None; lines that are not what `rules` say are to be set aside.
    pub(crate) fn new(rules: Option<Rules>) -> Self {
        Self { files: HashMap::new(), rules: rules.map(Arc::new) }
    }

    /// Adds the next file of a table.
    pub(crate) fn insert(&mut self, path: Path, file: &TableFile, cuts: Option<Cuts>) {
        let pinned = PinnedFile {
            number: self.files.len(),
            etag: file.etag.clone(),
            size: file.size,
            gzip: file.gzip,
            is_small: file.size <= SMALL_FILE_BYTES_MAX,
            cuts: cuts.map(Arc::new),
        };
        self.files.insert(path, pinned);
    }
}

/// A view of the bucket that holds the pinned files of one table and nothing else: every GET
/// carries the pinned ETag, every other key is refused, nothing can be written.
#[derive(Debug)]
pub(crate) struct PinnedStore {
    inner: Arc<dyn ObjectStore>,
    /// The table's number in the plan.
    table: usize,
    files: Arc<PinnedFiles>,
    small: SmallFiles,
    rejects: Arc<Rejects>,
}

impl PinnedStore {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        table: usize,
        files: Arc<PinnedFiles>,
        rejects: Arc<Rejects>,
    ) -> Self {
        Self { inner, table, files, small: SmallFiles::default(), rejects }
    }

    /// The good lines of a part of a file, as if they were a file.
    async fn open_part(&self, rules: &Arc<Rules>, location: &Path) -> Result<GetResult> {
        let part = FilePart::of_location(location.as_ref()).ok_or_else(|| unknown(location))?;
        let path = Path::parse(&part.key)?;
        let file = self.files.files.get(&path).ok_or_else(|| unknown(location))?;
        let about = (file.number, file.size, file.gzip);
        let rules = rules.clone();
        let bytes = quarantine::open(self, rules, &self.rejects, self.table, about, &part).await?;
        let size = part.to - part.from; // more or less: a reader of text takes what comes
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: DateTime::UNIX_EPOCH,
            size,
            e_tag: Some(file.etag.clone()),
            version: None,
        };
        let payload = GetResultPayload::Stream(bytes);
        Ok(GetResult { payload, meta, range: 0..size, attributes: Attributes::new() })
    }
}

/// Bytes of a file that is read at once.
pub(crate) const SMALL_FILE_BYTES_MAX: u64 = 256 * 1024;

/// How many small files are kept: a few for each partition that is read at the same time.
const KEPT_FILES_MAX: usize = 64;

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
                kept.truncate(KEPT_FILES_MAX);
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
        write!(f, "{} pinned files", self.files.files.len())
    }
}

fn unknown(path: &Path) -> Error {
    let source = format!("{path} is no file of the plan").into();
    Error::PermissionDenied { path: path.to_string(), source }
}

fn refuse<T>() -> Result<T> {
    Err(Error::NotSupported { source: "a pinned table can only be read".into() })
}

#[async_trait]
impl ObjectStore for PinnedStore {
    async fn get_opts(&self, path: &Path, mut options: GetOptions) -> Result<GetResult> {
        let Some(file) = self.files.files.get(path) else {
            return match &self.files.rules {
                Some(rules) => self.open_part(rules, path).await,
                None => Err(unknown(path)),
            };
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
