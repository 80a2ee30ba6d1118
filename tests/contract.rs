//! Every bucket passes the same contract.

use std::sync::Arc;

use object_store::memory::InMemory;
use tidemill_protocol::bucket::contract;

use crate::support::emulator::Emulator;
use crate::support::store_bucket::StoreBucket;

#[tokio::test]
async fn a_bucket_on_the_emulator_keeps_the_contract() {
    let emulator = Emulator::start().await;
    contract::check(Arc::new(emulator.bucket.clone()), "contract/").await;
}

#[tokio::test]
async fn a_bucket_on_an_object_store_keeps_the_contract() {
    contract::check(Arc::new(StoreBucket(Arc::new(InMemory::new()))), "contract/").await;
}
