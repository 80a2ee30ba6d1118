//! Buckets on a plain folder.
//!
//! An object is a file under its key's name. ETag, metadata and checksums are an attribute of the
//! file, or a sidecar file where the file system has no room for attributes. Writing goes to a
//! temporary file first; then, under one lock, the condition is checked and the file renamed, so of
//! two conditional writers one wins and a reader sees the old bytes or the new ones, never both. A
//! reader opens the file and what describes it under the same lock and reads the file afterwards. Files that a user put into the folder by hand are
//! objects too: their ETag is derived from size and time.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::names;

/// The extended attribute of an object's file that describes it.
const ATTRIBUTE: &str = "user.tidemill";

/// The folder of everything that is no object, beside the buckets.
const PRIVATE: &str = ".tidemill";

/// A folder for state of the emulator's own, which is no bucket.
pub(crate) fn private_folder(root: &Path, name: &str) -> PathBuf {
    root.join(PRIVATE).join(name)
}

/// Takes a folder of buckets for this process alone, for as long as the file is open. The file says
/// at which endpoint the process answers.
pub(crate) fn lock(root: &Path, endpoint: &str) -> io::Result<File> {
    fs::create_dir_all(root.join(PRIVATE))?;
    let options = File::options().read(true).write(true).create(true).truncate(false).to_owned();
    let mut lock = options.open(private_folder(root, "lock"))?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)?;
            lock.write_all(endpoint.as_bytes())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut other = String::new();
            lock.read_to_string(&mut other)?;
            Err(io::Error::other(format!(
                "another tidemill is using it and answers at {other}: wait for its end, or leave \
                 --local out and export AWS_ENDPOINT_URL={other}"
            )))
        }
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// What is stored of an object beside its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Without quotes.
    pub(crate) etag: String,
    /// Response headers that the writer gave, such as `content-type`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) user: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// By algorithm, e.g. `crc32`, in base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) checksums: BTreeMap<String, String>,
    /// The file that this describes, so that another one put in its place is noticed.
    #[serde(default)]
    pub(super) file: FileId,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    inode: u64,
    size: u64,
    nanoseconds: i128,
}

impl FileId {
    fn of(metadata: &fs::Metadata) -> Self {
        let nanoseconds =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.len(), nanoseconds }
    }
}

/// An object without its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Info {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    pub(crate) meta: Meta,
}

/// A condition on what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: "…"`, or any version
    Etag(Option<String>),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("no such bucket")]
    NoBucket,
    #[error("no such key")]
    NoKey,
    #[error("the condition does not hold")]
    Precondition,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    names: RwLock<()>,
}

impl Folder {
    /// The folder must be this process's alone: conditions hold only if nobody else renames.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(root.join(PRIVATE).join("spool"))?;
        for left_over in fs::read_dir(root.join(PRIVATE).join("spool"))? {
            fs::remove_file(left_over?.path())?;
        }
        Ok(Self { root, names: RwLock::new(()) })
    }

    pub(crate) fn private(&self, name: &str) -> PathBuf {
        private_folder(&self.root, name)
    }

    /// A new file that can be renamed into a bucket.
    pub(crate) fn spool(&self) -> PathBuf {
        self.private("spool").join(uuid::Uuid::new_v4().simple().to_string())
    }

    pub(crate) fn create_bucket(&self, bucket: &str) -> io::Result<bool> {
        match fs::create_dir(self.root.join(bucket)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Deletes an empty bucket; `false` if it is not empty.
    pub(crate) fn delete_bucket(&self, bucket: &str) -> Result<bool, FolderError> {
        let path = self.bucket(bucket)?;
        match fs::remove_dir(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    pub(crate) fn buckets(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let mut buckets = vec![];
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !name.starts_with('.') {
                buckets.push((name, entry.metadata()?.modified()?));
            }
        }
        buckets.sort();
        Ok(buckets)
    }

    pub(crate) fn bucket(&self, bucket: &str) -> Result<PathBuf, FolderError> {
        let path = self.root.join(bucket);
        if bucket.starts_with('.') || !path.is_dir() {
            return Err(FolderError::NoBucket);
        }
        Ok(path)
    }

    fn sidecars(&self, bucket: &str) -> PathBuf {
        self.private("meta").join(bucket)
    }

    /// Opens an object: the file and what describes it belong together.
    pub(crate) fn open_object(&self, bucket: &str, key: &str) -> Result<(File, Info), FolderError> {
        let _names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let root = self.bucket(bucket)?;
        let path = names::find(&root, key).ok_or(FolderError::NoKey)?;
        let file = File::open(&path)?;
        let info = self.describe(bucket, key, &path, &file.metadata()?)?;
        Ok((file, info))
    }

    pub(crate) fn info(&self, bucket: &str, key: &str) -> Result<Info, FolderError> {
        let _names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        self.info_locked(bucket, key)
    }

    fn info_locked(&self, bucket: &str, key: &str) -> Result<Info, FolderError> {
        let root = self.bucket(bucket)?;
        let path = names::find(&root, key).ok_or(FolderError::NoKey)?;
        self.describe(bucket, key, &path, &fs::metadata(&path)?)
    }

    fn describe(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        metadata: &fs::Metadata,
    ) -> Result<Info, FolderError> {
        let file = FileId::of(metadata);
        let attribute = xattr::get(path, ATTRIBUTE).ok().flatten();
        let sidecar = || names::find(&self.sidecars(bucket), key).and_then(|s| fs::read(s).ok());
        let stored = attribute
            .or_else(sidecar)
            .and_then(|bytes| serde_json::from_slice::<Meta>(&bytes).ok())
            .filter(|meta| meta.file == file);
        let meta = stored.unwrap_or_else(|| Meta {
            etag: format!("{:016x}{:016x}-1", file.size, file.nanoseconds & i128::from(u64::MAX)),
            file,
            ..Meta::default()
        });
        Ok(Info { size: metadata.len(), modified: metadata.modified()?, meta })
    }

    /// Makes a spool file the object, if the condition holds.
    pub(crate) fn commit(
        &self,
        bucket: &str,
        key: &str,
        spool: &Path,
        mut meta: Meta,
        condition: Option<&Condition>,
    ) -> Result<(), FolderError> {
        meta.file = FileId::of(&fs::metadata(spool)?);
        let sidecar = self.attach(spool, &meta)?;
        let _names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if let Err(e) = self.check(bucket, key, condition) {
            sidecar.map_or(Ok(()), fs::remove_file)?;
            return Err(e);
        }
        let root = self.bucket(bucket)?;
        fs::rename(spool, names::place(&root, key)?)?;
        if let Some(sidecar) = sidecar {
            fs::rename(sidecar, names::place(&self.sidecars(bucket), key)?)?;
        }
        Ok(())
    }

    /// Writes what describes a file into its attribute, or else into a spool file for a sidecar.
    fn attach(&self, path: &Path, meta: &Meta) -> io::Result<Option<PathBuf>> {
        let meta = serde_json::to_vec(meta)?;
        if xattr::set(path, ATTRIBUTE, &meta).is_ok() {
            return Ok(None);
        }
        // one that is there already goes before a sidecar
        let _ = xattr::remove(path, ATTRIBUTE);
        let sidecar = self.spool();
        fs::write(&sidecar, meta)?;
        Ok(Some(sidecar))
    }

    /// Changes what describes an object, whose bytes and version stay.
    pub(super) fn change_meta(
        &self,
        bucket: &str,
        key: &str,
        change: impl FnOnce(&mut Meta),
    ) -> Result<Meta, FolderError> {
        let _names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let mut meta = self.info_locked(bucket, key)?.meta;
        let path = names::find(&self.bucket(bucket)?, key).ok_or(FolderError::NoKey)?;
        change(&mut meta);
        if let Some(sidecar) = self.attach(&path, &meta)? {
            fs::rename(sidecar, names::place(&self.sidecars(bucket), key)?)?;
        }
        Ok(meta)
    }

    fn check(
        &self,
        bucket: &str,
        key: &str,
        condition: Option<&Condition>,
    ) -> Result<(), FolderError> {
        self.bucket(bucket)?;
        let Some(condition) = condition else { return Ok(()) };
        let found = match self.info_locked(bucket, key) {
            Ok(info) => Some(info.meta.etag),
            Err(FolderError::NoKey) => None,
            Err(e) => return Err(e),
        };
        match (condition, found) {
            (Condition::Absent, None) | (Condition::Etag(None), Some(_)) => Ok(()),
            (Condition::Absent, Some(_)) => Err(FolderError::Precondition),
            (Condition::Etag(_), None) => Err(FolderError::NoKey),
            (Condition::Etag(Some(wanted)), Some(etag)) if *wanted == etag => Ok(()),
            (Condition::Etag(Some(_)), Some(_)) => Err(FolderError::Precondition),
        }
    }

    /// Removes an object; whether there was one.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        condition: Option<&Condition>,
    ) -> Result<bool, FolderError> {
        let _names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        self.check(bucket, key, condition)?;
        let root = self.bucket(bucket)?;
        let Some(path) = names::find(&root, key) else { return Ok(false) };
        fs::remove_file(&path)?;
        names::prune(&root, &path);
        let sidecars = self.sidecars(bucket);
        if let Some(sidecar) = names::find(&sidecars, key) {
            fs::remove_file(&sidecar)?;
            names::prune(&sidecars, &sidecar);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a bucket, where one object has the given metadata.
    fn with_object(root: &Path, value: &str) -> Folder {
        let folder = Folder::open(root.to_owned()).expect("a folder");
        folder.create_bucket("b").expect("a bucket");
        let spool = folder.spool();
        fs::write(&spool, "content").expect("written");
        let user = BTreeMap::from([("name".to_owned(), value.to_owned())]);
        let meta = Meta { etag: "e".into(), user, ..Meta::default() };
        folder.commit("b", "d/o", &spool, meta, Some(&Condition::Absent)).expect("committed");
        folder
    }

    #[test]
    fn what_describes_an_object_is_an_attribute_or_a_sidecar_and_goes_with_it() {
        // no file system takes an attribute of the second
        for value in ["short", "long".repeat(100_000).as_str()] {
            let dir = tempfile::tempdir().expect("a folder");
            let folder = with_object(dir.path(), value);
            let meta = folder.info("b", "d/o").expect("the object").meta;
            assert_eq!((meta.etag.as_str(), meta.user["name"].as_str()), ("e", value));
            let has_attribute = xattr::get(dir.path().join("b/d/o"), ATTRIBUTE).ok().flatten();
            let has_sidecar = dir.path().join(".tidemill/meta/b/d/o").exists();
            assert_ne!(has_attribute.is_some(), has_sidecar);
            assert!(folder.delete("b", "d/o", None).expect("deleted"));
            assert!(!dir.path().join(".tidemill/meta/b/d").exists());
        }
    }

    #[test]
    fn tags_change_what_describes_an_object_and_neither_its_bytes_nor_its_version() {
        for value in ["short", "long".repeat(100_000).as_str()] {
            let dir = tempfile::tempdir().expect("a folder");
            let folder = with_object(dir.path(), value);
            fs::write(dir.path().join("b/by-hand"), "content").expect("written");
            for key in ["d/o", "by-hand"] {
                let before = folder.info("b", key).expect("the object");
                let tags = BTreeMap::from([("tag".to_owned(), "x".repeat(200_000))]);
                for tags in [BTreeMap::from([("tag".into(), "x".into())]), tags] {
                    folder.change_meta("b", key, |meta| meta.tags = tags.clone()).expect("changed");
                    let after = folder.info("b", key).expect("the object");
                    assert_eq!(after.meta, Meta { tags, ..before.meta.clone() });
                    assert_eq!(after.modified, before.modified);
                }
            }
            assert!(matches!(folder.change_meta("b", "no", |_| ()), Err(FolderError::NoKey)));
        }
    }

    #[test]
    fn what_described_a_file_does_not_describe_another_in_its_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = with_object(dir.path(), "short");
        fs::write(dir.path().join("b/d/o"), "another content").expect("written");
        let meta = folder.info("b", "d/o").expect("the object").meta;
        assert!(meta.etag != "e" && meta.user.is_empty(), "{meta:?}");
    }
}
