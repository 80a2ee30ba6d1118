//! What calls need of the bucket.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tidemill_protocol::calls::{ContentName, PackIndex, of_bucket, read_index};
use tidemill_protocol::record::PinnedObject;
use tidemill_protocol::{Bucket, EngineError, Key, RunId};
use tokio::io::AsyncWriteExt;

/// Functions and indices that a worker remembers.
const REMEMBERED_MAX: usize = 16;

/// Bytes of a request for a part of a large object.
const PIECE_BYTES: u64 = 16 << 20;

/// Functions, arguments and shared objects, as far as they have been read.
pub(crate) struct Objects {
    bucket: Arc<dyn Bucket>,
    /// Where shared objects lie, by their names.
    folder: PathBuf,
    functions: Remembered<ContentName, Bytes>,
    indices: Remembered<String, Arc<PackIndex>>,
    fetching: tokio::sync::Mutex<()>,
}

/// The last values by their keys.
struct Remembered<K, V>(std::sync::Mutex<VecDeque<(K, V)>>);

impl<K: PartialEq, V: Clone> Remembered<K, V> {
    fn new() -> Self {
        Self(std::sync::Mutex::default())
    }

    fn find(&self, key: &K) -> Option<V> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    fn add(&self, key: K, value: V) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_front((key, value));
        all.truncate(REMEMBERED_MAX);
    }
}

impl Objects {
    pub(crate) fn new(bucket: Arc<dyn Bucket>, folder: PathBuf) -> Self {
        let (functions, indices) = (Remembered::new(), Remembered::new());
        Self { bucket, folder, functions, indices, fetching: tokio::sync::Mutex::default() }
    }

    /// A function or an initializer.
    pub(crate) async fn function(
        &self,
        run: &RunId,
        name: &ContentName,
    ) -> Result<Bytes, EngineError> {
        if let Some(found) = self.functions.find(name) {
            return Ok(found);
        }
        let key = Key::shared_object(name);
        let object = self.bucket.get(&key, None).await.map_err(|e| of_bucket(run, e))?;
        if ContentName::of(&object.bytes) != *name {
            return Err(EngineError::Refused(format!("{key} is not what its name says")));
        }
        self.functions.add(name.clone(), object.bytes.clone());
        Ok(object.bytes)
    }

    /// The arguments of some calls of a pack, one after another.
    pub(crate) async fn arguments(
        &self,
        run: &RunId,
        pack: &PinnedObject,
        calls: std::ops::Range<u64>,
    ) -> Result<Vec<Bytes>, EngineError> {
        let index = self.index(run, pack).await?;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let offsets = index.offsets.get(at(calls.start)..=at(calls.end)).unwrap_or(&[]);
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return Err(EngineError::Refused(format!("{} has no calls {calls:?}", pack.key)));
        };
        let range = *first..*last;
        let bytes = self.bucket.get_range(&pack.key, &pack.etag, range).await;
        let bytes = bytes.map_err(|e| of_bucket(run, e))?;
        let slice = |ends: &[u64]| bytes.slice(at(ends[0] - first)..at(ends[1] - first));
        Ok(offsets.windows(2).map(slice).collect())
    }

    async fn index(&self, run: &RunId, pack: &PinnedObject) -> Result<Arc<PackIndex>, EngineError> {
        let version = format!("{} {}", pack.key, pack.etag);
        if let Some(found) = self.indices.find(&version) {
            return Ok(found);
        }
        let (found, index) = read_index(&*self.bucket, run, &pack.key).await?;
        if found != *pack {
            return Err(EngineError::InputChanged { run: run.clone(), key: pack.key.clone() });
        }
        let index = Arc::new(index);
        self.indices.add(version, index.clone());
        Ok(index)
    }

    /// Has shared objects lie in the folder.
    pub(crate) async fn fetch(
        &self,
        run: &RunId,
        names: &[ContentName],
    ) -> Result<(), EngineError> {
        if names.is_empty() {
            return Ok(());
        }
        let _turn = self.fetching.lock().await;
        for name in names {
            let path = self.folder.join(name.as_str());
            if !path.exists() {
                self.download(run, name, &path).await?;
            }
        }
        Ok(())
    }

    async fn download(
        &self,
        run: &RunId,
        name: &ContentName,
        path: &Path,
    ) -> Result<(), EngineError> {
        let key = Key::shared_object(name);
        let missing = || EngineError::InputMissing { run: run.clone(), key: key.clone() };
        let head = self.bucket.head(&key).await.map_err(|e| of_bucket(run, e))?;
        let info = head.ok_or_else(missing)?.info;
        let unwritable = |source: std::io::Error| EngineError::Transient {
            what: format!("{} cannot be written", path.display()),
            source: source.into(),
        };
        // it gets its name when it is whole
        let partial = path.with_extension("partial");
        let mut file = tokio::fs::File::create(&partial).await.map_err(unwritable)?;
        for from in (0..info.size).step_by(usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX)) {
            let range = from..(from + PIECE_BYTES).min(info.size);
            let piece = self.bucket.get_range(&key, &info.etag, range).await;
            let piece = piece.map_err(|e| of_bucket(run, e))?;
            file.write_all(&piece).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        tokio::fs::rename(&partial, path).await.map_err(unwritable)
    }
}
