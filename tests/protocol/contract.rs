//! Buckets in memory, and those that tests wrap around one, pass the contract of every bucket.

use std::sync::Arc;

use tidemill_protocol::bucket::{MemoryBucket, contract};

use crate::support::crash::{Crash, CrashingBucket};

#[tokio::test]
async fn a_bucket_in_memory_keeps_the_contract() {
    contract::check(Arc::new(MemoryBucket::default()), "contract/").await;
}

#[tokio::test]
async fn a_bucket_that_does_not_crash_keeps_the_contract() {
    let inner = Arc::new(MemoryBucket::default());
    let bucket = CrashingBucket { inner, crash: Crash::never() };
    contract::check(Arc::new(bucket), "contract/").await;
}
