//! The seam to object storage, and what every implementation of it must do ([`contract`]).

pub mod contract;
mod memory;

use std::fs::File;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tempfile::TempPath;

use crate::ids::AttemptId;

pub use memory::MemoryBucket;

/// What is known of an object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// By the clock of the storage.
    pub modified: DateTime<Utc>,
}

/// An object with its bytes and its user metadata.
#[derive(Debug, Clone)]
pub struct Object {
    pub info: ObjectInfo,
    pub bytes: Bytes,
    pub metadata: Vec<(String, String)>,
}

impl Object {
    /// The value of a user metadata entry.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

/// The bytes of a new object.
#[derive(Debug)]
pub enum Body {
    Bytes(Bytes),
    /// A spool file, read from its start.
    File(File),
    /// A spool file that is not open yet; it is removed with this.
    Path(TempPath),
}

/// An object that is to be created.
#[derive(Debug)]
pub struct NewObject<'a> {
    pub key: &'a str,
    pub body: Body,
    /// Who creates it: what an object of this key that is there already is told apart by.
    pub attempt: &'a AttemptId,
    /// Of the user, beside the attempt.
    pub metadata: &'a [(&'a str, String)],
}

impl<'a> NewObject<'a> {
    /// One without metadata of its own.
    pub fn new(key: &'a str, body: Body, attempt: &'a AttemptId) -> Self {
        Self { key, body, attempt, metadata: &[] }
    }
}

/// Who created an object that [`Bucket::create`] was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// This call, or an earlier call of the same attempt whose answer was lost.
    Now,
    /// Somebody else, before.
    Before,
}

/// Object storage with create-if-absent, as S3 has it: reads and lists after writes are strong.
#[async_trait]
pub trait Bucket: Send + Sync {
    /// Reads an object; with `etag` only that version.
    ///
    /// # Errors
    /// [`BucketError::NotFound`], [`BucketError::Changed`] if the version is another.
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError>;

    /// Reads the last `bytes` bytes of an object (all of it if it is shorter).
    ///
    /// # Errors
    /// [`BucketError::NotFound`].
    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError>;

    /// Reads bytes `from` to `to`, without `to`, of a version of an object.
    ///
    /// # Errors
    /// [`BucketError::NotFound`], [`BucketError::Changed`] if the version is another.
    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, BucketError>;

    /// Describes an object, or `None` if there is none.
    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError>;

    /// Creates an object if there is none of its key. The attempt's id goes into the metadata
    /// (`attempt`), so that a writer whose answer was lost recognises its own success.
    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError>;

    /// Copies an object within the bucket, over whatever is there.
    ///
    /// # Errors
    /// [`BucketError::NotFound`] if there is no source.
    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError>;

    /// All objects under a prefix, in the order of their keys.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError>;

    /// The first `most` objects (at most 1,000) under a prefix whose keys come after one.
    async fn list_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<ObjectInfo>, BucketError> {
        let mut objects = self.list(prefix).await?;
        objects.retain(|o| after.is_none_or(|after| o.key.as_str() > after));
        objects.truncate(most);
        Ok(objects)
    }

    /// Deletes objects; those that do not exist are no error.
    async fn delete(&self, keys: &[String]) -> Result<(), BucketError>;
}

/// What can go wrong between us and the bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("there is no object {key}")]
    NotFound { key: String },
    #[error("{key} changed while it was read")]
    Changed { key: String },
    #[error("{action} {key} failed")]
    Io {
        action: &'static str,
        key: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl BucketError {
    /// Whether there is no object of the key.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the object is no longer the version that was asked for.
    pub fn is_changed(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// Creates a JSON record.
pub(crate) async fn create_json<T: serde::Serialize + Sync>(
    bucket: &dyn Bucket,
    key: &str,
    record: &T,
    attempt: &AttemptId,
) -> Result<Created, BucketError> {
    let bytes = serde_json::to_vec(record).map_err(|e| BucketError::Io {
        action: "encoding",
        key: key.into(),
        source: e.into(),
    })?;
    bucket.create(NewObject::new(key, Body::Bytes(bytes.into()), attempt)).await
}

/// Reads a JSON record.
///
/// # Errors
/// [`BucketError::NotFound`]; [`BucketError::Io`] if the object is not such a record.
pub async fn read_json<T: serde::de::DeserializeOwned>(
    bucket: &dyn Bucket,
    key: &str,
) -> Result<T, BucketError> {
    let object = bucket.get(key, None).await?;
    serde_json::from_slice(&object.bytes).map_err(|e| BucketError::Io {
        action: "decoding",
        key: key.into(),
        source: e.into(),
    })
}

/// Reads a JSON record, or `None` if there is none.
pub async fn find_json<T: serde::de::DeserializeOwned>(
    bucket: &dyn Bucket,
    key: &str,
) -> Result<Option<T>, BucketError> {
    match read_json(bucket, key).await {
        Ok(record) => Ok(Some(record)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}
