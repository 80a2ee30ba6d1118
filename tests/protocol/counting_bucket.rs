use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tidemill_protocol::bucket::{Created, NewObject, Object, ObjectInfo};
use tidemill_protocol::{Bucket, BucketError};

/// A bucket that tells what it was asked.
pub(crate) struct CountingBucket {
    inner: Arc<dyn Bucket>,
    asked: Mutex<Vec<String>>,
}

impl CountingBucket {
    pub(crate) fn new(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, asked: Mutex::default() }
    }

    /// What it was asked since this was called last.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("a lock"))
    }

    fn ask(&self, what: &str, key: &str) {
        self.asked.lock().expect("a lock").push(format!("{what} {key}"));
    }
}

#[async_trait]
impl Bucket for CountingBucket {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        self.ask("GET", key);
        self.inner.get(key, etag).await
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        self.ask("GET", key);
        self.inner.get_tail(key, bytes).await
    }

    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<Bytes, BucketError> {
        self.ask("GET", key);
        self.inner.get_range(key, etag, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError> {
        self.ask("HEAD", key);
        self.inner.head(key).await
    }

    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError> {
        self.ask("PUT", new.key);
        self.inner.create(new).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError> {
        self.ask("COPY", to);
        self.inner.copy(from, to).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError> {
        self.ask("LIST", prefix);
        self.inner.list(prefix).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        keys.iter().for_each(|key| self.ask("DELETE", key));
        self.inner.delete(keys).await
    }
}
