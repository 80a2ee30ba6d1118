//! What calls need of the bucket, beside their arguments.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tidemill_protocol::calls::{ContentName, of_bucket};
use tidemill_protocol::{Bucket, BucketError, EngineError, Key, RunId};
use tokio::io::AsyncWriteExt;

/// Functions that a worker remembers.
const REMEMBERED_MAX: usize = 16;

/// Bytes of a request for a part of a large object.
const PIECE_BYTES: u64 = 16 << 20;

/// Functions and shared objects, as far as they have been read.
pub struct Objects {
    bucket: Arc<dyn Bucket>,
    /// Where shared objects lie, by their names.
    folder: PathBuf,
    /// Where archives are unpacked, by their names.
    unpacked: PathBuf,
    /// The last first.
    functions: std::sync::Mutex<VecDeque<(ContentName, Bytes)>>,
    fetching: tokio::sync::Mutex<()>,
    /// The file of a result that was read last, by its key.
    input: tokio::sync::Mutex<Option<(String, tempfile::NamedTempFile)>>,
}

impl Objects {
    /// Those of a bucket; shared ones are put into a folder, unless they are there.
    pub fn new(bucket: Arc<dyn Bucket>, folder: PathBuf, unpacked: PathBuf) -> Self {
        let (fetching, input) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        Self { bucket, folder, unpacked, functions: std::sync::Mutex::default(), fetching, input }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A function or an initializer.
    pub(crate) async fn function(
        &self,
        run: &RunId,
        name: &ContentName,
    ) -> Result<Bytes, EngineError> {
        let functions = || self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = functions().iter().find(|(known, _)| known == name) {
            return Ok(found.clone());
        }
        let key = Key::shared_object(name);
        let object = self.bucket.get(&key, None).await.map_err(|e| of_bucket(run, e))?;
        if ContentName::of(&object.bytes) != *name {
            return Err(not_its_name(&key));
        }
        let mut functions = functions();
        functions.push_front((name.clone(), object.bytes.clone()));
        functions.truncate(REMEMBERED_MAX);
        Ok(object.bytes)
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

    /// The folders of archives, unpacked.
    pub(crate) async fn unpack(
        &self,
        run: &RunId,
        names: &[ContentName],
    ) -> Result<Vec<PathBuf>, EngineError> {
        self.fetch(run, names).await?;
        let mut folders = vec![];
        for name in names {
            let (archive, folder) =
                (self.folder.join(name.as_str()), self.unpacked.join(name.as_str()));
            if !folder.exists() {
                let _turn = self.fetching.lock().await;
                let to = folder.clone();
                let unpacked = tokio::task::spawn_blocking(move || unpack(&archive, &to)).await;
                unpacked.unwrap_or_else(|e| Err(e.into())).map_err(|e| {
                    EngineError::Refused(format!("archive {name} cannot be unpacked: {e}"))
                })?;
            }
            folders.push(folder);
        }
        Ok(folders)
    }

    /// A file of a result that a call reads, as a file of this machine: the one before it goes.
    pub(crate) async fn input(&self, run: &RunId, key: &str) -> Result<PathBuf, EngineError> {
        let mut last = self.input.lock().await;
        if let Some((known, file)) = &*last
            && known == key
        {
            return Ok(file.path().to_owned());
        }
        *last = None;
        let file = tempfile::NamedTempFile::new_in(&self.folder);
        let file = file.map_err(|e| unwritable(&self.folder, e))?;
        self.write(run, key, file.path()).await?;
        let path = file.path().to_owned();
        *last = Some((key.to_owned(), file));
        Ok(path)
    }

    /// Writes an object's bytes into a file.
    async fn write(&self, run: &RunId, key: &str, path: &Path) -> Result<(), EngineError> {
        let missing = || of_bucket(run, BucketError::NotFound { key: key.to_owned() });
        let head = self.bucket.head(key).await.map_err(|e| of_bucket(run, e))?;
        let info = head.ok_or_else(missing)?.info;
        let unwritable = |e| unwritable(path, e);
        let mut file = tokio::fs::File::create(path).await.map_err(unwritable)?;
        for from in (0..info.size).step_by(usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX)) {
            let range = from..(from + PIECE_BYTES).min(info.size);
            let piece = self.bucket.get_range(key, &info.etag, range).await;
            let piece = piece.map_err(|e| of_bucket(run, e))?;
            file.write_all(&piece).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)
    }

    async fn download(
        &self,
        run: &RunId,
        name: &ContentName,
        path: &Path,
    ) -> Result<(), EngineError> {
        let key = Key::shared_object(name);
        // it gets its name when it is whole
        let partial = path.with_extension("partial");
        self.write(run, &key, &partial).await?;
        let unwritable = |e| unwritable(path, e);
        let whole = partial.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            std::fs::File::open(whole).and_then(ContentName::of_reader)
        });
        let hashed = hashed.await.unwrap_or_else(|e| Err(e.into())).map_err(unwritable)?;
        if hashed != *name {
            return Err(not_its_name(&key));
        }
        tokio::fs::rename(&partial, path).await.map_err(unwritable)
    }
}

pub(crate) fn unwritable(path: &Path, source: std::io::Error) -> EngineError {
    EngineError::Transient {
        what: format!("{} cannot be written", path.display()),
        source: source.into(),
    }
}

fn not_its_name(key: &str) -> EngineError {
    EngineError::Refused(format!("{key} is not what its name says: its SHA-256 is another"))
}

/// Unpacks an archive into a folder, which gets its name when it is whole.
fn unpack(archive: &Path, folder: &Path) -> std::io::Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent)?;
    let partial = tempfile::tempdir_in(parent)?;
    let file = std::io::BufReader::new(std::fs::File::open(archive)?);
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(partial.path())?;
    match std::fs::rename(partial.path(), folder) {
        // another process of this machine was faster
        Err(_) if folder.exists() => Ok(()),
        renamed => renamed,
    }
}
