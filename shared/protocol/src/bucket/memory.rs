use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Body, Bucket, BucketError, Created, NewObject, Object, ObjectInfo};
use crate::clock::{Clock, SystemClock};

/// A bucket in memory, for tests and simulations.
pub struct MemoryBucket {
    objects: Mutex<BTreeMap<String, Stored>>,
    clock: Arc<dyn Clock>,
}

impl Default for MemoryBucket {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    version: u64,
    modified: DateTime<Utc>,
    metadata: Vec<(String, String)>,
}

impl MemoryBucket {
    /// An empty bucket whose objects are dated by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { objects: Mutex::default(), clock }
    }

    /// Writes an object as a user would, over whatever is there; returns its ETag.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) -> String {
        let mut objects = self.lock();
        let version = objects.get(key).map_or(1, |o| o.version + 1);
        let stored =
            Stored { bytes: bytes.into(), version, modified: self.clock.now(), metadata: vec![] };
        let etag = stored.etag();
        objects.insert(key.into(), stored);
        etag
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Stored>> {
        self.objects.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn find(&self, key: &str) -> Result<Stored, BucketError> {
        let found = self.lock().get(key).cloned();
        found.ok_or_else(|| BucketError::NotFound { key: key.into() })
    }
}

impl Stored {
    fn etag(&self) -> String {
        format!("v{}-{}", self.version, self.bytes.len())
    }

    fn object(&self, key: &str, bytes: Bytes) -> Object {
        let info = ObjectInfo {
            key: key.into(),
            size: self.bytes.len() as u64,
            etag: self.etag(),
            modified: self.modified,
        };
        Object { info, bytes, metadata: self.metadata.clone() }
    }
}

#[async_trait]
impl Bucket for MemoryBucket {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        let stored = self.find(key)?;
        if etag.is_some_and(|e| e != stored.etag()) {
            return Err(BucketError::Changed { key: key.into() });
        }
        Ok(stored.object(key, stored.bytes.clone()))
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        let stored = self.find(key)?;
        let from = (stored.bytes.len() as u64).saturating_sub(bytes);
        let tail = stored.bytes.slice(usize::try_from(from).unwrap_or(usize::MAX)..);
        Ok(stored.object(key, tail))
    }

    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<Bytes, BucketError> {
        let whole = self.get(key, Some(etag)).await?.bytes;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(whole.len());
        Ok(whole.slice(at(range.start)..at(range.end)))
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError> {
        Ok(self.find(key).ok().map(|s| s.object(key, Bytes::new())))
    }

    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError> {
        let NewObject { key, body, attempt, metadata } = new;
        let bytes = read_body(body).map_err(|source| BucketError::Io {
            action: "reading the body of",
            key: key.into(),
            source: source.into(),
        })?;
        let mut objects = self.lock();
        if let Some(found) = objects.get(key) {
            let ours = found.metadata.iter().any(|(k, v)| k == "attempt" && *v == attempt.0);
            return Ok(if ours { Created::Now } else { Created::Before });
        }
        let mut all = vec![("attempt".to_owned(), attempt.0.clone())];
        all.extend(metadata.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        let modified = self.clock.now();
        objects.insert(key.into(), Stored { bytes, version: 1, modified, metadata: all });
        Ok(Created::Now)
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError> {
        let stored = self.find(from)?;
        self.lock().insert(to.into(), stored);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError> {
        let objects = self.lock();
        let under = objects.range(prefix.to_owned()..).take_while(|(k, _)| k.starts_with(prefix));
        Ok(under.map(|(k, s)| s.object(k, Bytes::new()).info).collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        let mut objects = self.lock();
        for key in keys {
            objects.remove(key);
        }
        Ok(())
    }
}

fn read_body(body: Body) -> std::io::Result<Bytes> {
    match body {
        Body::Bytes(bytes) => Ok(bytes),
        Body::Path(path) => Ok(std::fs::read(path)?.into()),
        Body::File(mut file) => {
            let mut bytes = vec![];
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            Ok(bytes.into())
        }
    }
}
