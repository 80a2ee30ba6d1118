//! What a warm worker remembers: records that never change.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;

use crate::bucket::BucketError;
use crate::context::Context;

/// How many plans, and how many layouts, a warm worker remembers.
const REMEMBERED_RECORDS_MAX: usize = 8;

/// Records of a kind by their keys, the last first.
pub(super) struct Remembered<T>(Mutex<VecDeque<(String, Arc<T>)>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: DeserializeOwned> Remembered<T> {
    /// A record that is remembered, or is in the bucket.
    pub(super) async fn find(
        &self,
        cx: &Context,
        key: String,
    ) -> Result<Option<Arc<T>>, BucketError> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = lock().iter().find(|(k, _)| *k == key) {
            return Ok(Some(found.clone()));
        }
        let Some(found) = cx.find::<T>(&key).await? else { return Ok(None) };
        let found = Arc::new(found);
        let mut all = lock();
        all.push_front((key, found.clone()));
        all.truncate(REMEMBERED_RECORDS_MAX);
        Ok(Some(found))
    }
}
