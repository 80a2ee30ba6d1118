use std::collections::HashMap;
use std::fmt;
use std::fs::{File, Metadata};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

/// Objects below this many bytes are fetched: a request costs less than making sure of a file.
const FILE_BYTES_MIN: u64 = 256 * 1024;

/// Bytes that are read at once: most column chunks in one piece, text files in a stream of them.
const PIECE_BYTES: usize = 8 * 1024 * 1024;

/// How many pieces are read ahead.
const PIECES_AHEAD: usize = 2;

/// How many files are remembered.
const REMEMBERED_FILES_MAX: usize = 1024;

/// A bucket of the emulator on the same machine: the endpoint says which file holds the pinned
/// version of an object, and its ranges are then read from that file without a copy through
/// sockets. Everything else is asked of the endpoint.
///
/// A file is trusted when the endpoint confirms the ETag before and after it was looked at, and
/// for as long as it stays the same file (inode, size, times); the emulator replaces objects by
/// renaming, so an open file never changes.
pub(crate) struct FolderReads {
    inner: Arc<dyn ObjectStore>,
    folder: PathBuf,
    known: Mutex<HashMap<(Path, String), Known>>,
}

#[derive(Debug, Clone)]
enum Known {
    File(FileId, ObjectMeta),
    /// Not worth it, or not there under its own name.
    Fetched,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl FolderReads {
    /// `folder` holds the objects of the bucket that `inner` reads.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, folder: PathBuf) -> Self {
        Self { inner, folder, known: Mutex::default() }
    }

    /// The file of a key that has its own name on disk.
    fn file(&self, path: &Path) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.=+, ".contains(c);
        let segment_is_plain =
            |s: &str| s.len() <= 180 && !s.starts_with('.') && s.chars().all(plain);
        let key = path.as_ref();
        key.split('/').all(segment_is_plain).then(|| self.folder.join(key))
    }

    /// The open file of a version of an object.
    async fn open(&self, path: &Path, etag: &str) -> Result<Option<(File, ObjectMeta)>> {
        let Some(file_path) = self.file(path) else { return Ok(None) };
        let entry = (path.clone(), etag.to_owned());
        let known = self.lock().get(&entry).cloned();
        if matches!(known, Some(Known::Fetched)) {
            return Ok(None);
        }
        if let (Some(Known::File(id, meta)), Some((file, now))) = (known, open(&file_path))
            && id == now
        {
            return Ok(Some((file, meta)));
        }
        let meta = self.confirm(path, etag).await?;
        let found =
            open(&file_path).filter(|(_, id)| id.size == meta.size && meta.size >= FILE_BYTES_MIN);
        let Some((file, id)) = found else {
            self.remember(entry, Known::Fetched);
            return Ok(None);
        };
        self.confirm(path, etag).await?;
        self.remember(entry, Known::File(id, meta.clone()));
        Ok(Some((file, meta)))
    }

    async fn confirm(&self, path: &Path, etag: &str) -> Result<ObjectMeta> {
        let options =
            GetOptions { head: true, if_match: Some(etag.to_owned()), ..GetOptions::default() };
        Ok(self.inner.get_opts(path, options).await?.meta)
    }

    fn remember(&self, entry: (Path, String), known: Known) {
        let mut all = self.lock();
        if all.len() >= REMEMBERED_FILES_MAX {
            all.clear();
        }
        all.insert(entry, known);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Path, String), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &std::path::Path) -> Option<(File, FileId)> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    metadata.is_file().then(|| (file, FileId::of(&metadata)))
}

/// The bytes of a range: at once if they are few, else piece by piece, some ahead of the reader.
fn read(file: File, range: Range<u64>, path: &Path) -> BoxStream<'static, Result<Bytes>> {
    let (file, path) = (Arc::new(file), path.clone());
    let starts = range.clone().step_by(PIECE_BYTES);
    let pieces = starts.map(move |at| at..(at + PIECE_BYTES as u64).min(range.end));
    let read_piece = move |piece: Range<u64>| {
        let (file, path) = (file.clone(), path.clone());
        async move {
            let done = tokio::task::spawn_blocking(move || read_piece(&file, &piece)).await;
            let done = done.unwrap_or_else(|e| Err(std::io::Error::other(e)));
            done.map_err(|e| Error::Generic {
                store: "folder",
                source: format!("{path}: {e}").into(),
            })
        }
    };
    stream::iter(pieces).map(read_piece).buffered(PIECES_AHEAD).boxed()
}

fn read_piece(file: &File, piece: &Range<u64>) -> std::io::Result<Bytes> {
    let wanted = usize::try_from(piece.end - piece.start).unwrap_or(0);
    let mut bytes = Vec::with_capacity(wanted);
    while bytes.len() < wanted {
        let at = piece.start + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    bytes.truncate(wanted);
    Ok(bytes.into())
}

impl fmt::Debug for FolderReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FolderReads").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl fmt::Display for FolderReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.folder.display(), self.inner)
    }
}

#[async_trait]
impl ObjectStore for FolderReads {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let (Some(etag), false) = (&options.if_match, options.head) else {
            return self.inner.get_opts(path, options).await;
        };
        let Some((file, meta)) = self.open(path, etag).await? else {
            return self.inner.get_opts(path, options).await;
        };
        let range = match &options.range {
            Some(GetRange::Bounded(range)) => range.clone(),
            Some(_) => return self.inner.get_opts(path, options).await,
            None => 0..meta.size,
        };
        if range.start >= meta.size || range.end <= range.start {
            return self.inner.get_opts(path, options).await; // it words the error
        }
        let range = range.start..range.end.min(meta.size);
        let payload = GetResultPayload::Stream(read(file, range.clone(), path));
        Ok(GetResult { payload, meta, range, attributes: Attributes::new() })
    }

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
