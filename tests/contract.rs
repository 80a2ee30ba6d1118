//! Every bucket passes the same contract.

use std::sync::Arc;

use object_store::memory::InMemory;
use tidemill_protocol::bucket::{Body, Bucket, Created, NewObject, contract};
use tidemill_protocol::ids::AttemptId;

use crate::support::emulator::Emulator;
use crate::support::store_bucket::StoreBucket;

#[tokio::test]
async fn a_bucket_on_the_emulator_keeps_the_contract() {
    let emulator = Emulator::start().await;
    contract::check(Arc::new(emulator.bucket.clone()), "contract/").await;
}

#[tokio::test]
async fn a_bucket_that_writes_files_in_parts_keeps_the_contract() {
    let emulator = Emulator::start().await;
    let bucket = emulator.bucket.clone().with_put_bytes(0);
    contract::check(Arc::new(bucket), "contract/").await;
}

#[tokio::test]
async fn of_two_files_in_parts_the_first_stays_and_nothing_is_left_of_the_second() {
    let emulator = Emulator::start().await;
    let bucket = emulator.bucket.clone().with_put_bytes(0);
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("large");
    // more than one part, the last of them short
    let content: Vec<u8> = (0..150_000_000_u32).map(|n| (n / 1000) as u8).collect();
    std::fs::write(&file, &content).expect("written");
    for (attempt, created) in [("a", Created::Now), ("b", Created::Before), ("a", Created::Now)] {
        let metadata = [("rows", "7".to_owned())];
        let body = Body::File(std::fs::File::open(&file).expect("opened"));
        let id = AttemptId(attempt.into());
        let new = NewObject { metadata: &metadata, ..NewObject::new("large", body, &id) };
        let done = bucket.create(new).await;
        assert_eq!(done.expect("created or not"), created, "{attempt}");
    }
    let object = bucket.get("large", None).await.expect("the object");
    assert!(object.bytes == content, "other bytes");
    assert!(object.info.etag.ends_with("-3"), "{} is not of three parts", object.info.etag);
    assert_eq!((object.metadata("attempt"), object.metadata("rows")), (Some("a"), Some("7")));
    let open = bucket.client().list_multipart_uploads().bucket(bucket.name()).send().await;
    assert!(open.expect("a list").uploads().is_empty());
}

#[tokio::test]
async fn a_bucket_on_an_object_store_keeps_the_contract() {
    contract::check(Arc::new(StoreBucket(Arc::new(InMemory::new()))), "contract/").await;
}
