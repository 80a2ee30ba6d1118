//! What every [`Bucket`] must do. Each implementation passes [`check`] in its own tests.

use std::io::Write;
use std::sync::Arc;

use super::{Body, Bucket, Created, NewObject};
use crate::ids::AttemptId;

/// Runs the whole contract on keys that start with `prefix`, which must be unused.
///
/// # Panics
/// If the bucket breaks the contract.
pub async fn check(bucket: Arc<dyn Bucket>, prefix: &str) {
    what_is_created_is_read_back(&*bucket, prefix).await;
    what_is_missing_is_said_to_be_missing(&*bucket, prefix).await;
    a_second_creator_loses_and_the_first_recognises_itself(&*bucket, prefix).await;
    of_many_creators_one_wins(&bucket, prefix).await;
    another_version_is_refused(&*bucket, prefix).await;
    the_tail_is_the_end(&*bucket, prefix).await;
    a_file_is_a_body(&*bucket, prefix).await;
    a_list_is_complete_ordered_and_within_its_prefix(&*bucket, prefix).await;
    a_copy_is_equal_and_may_be_repeated(&*bucket, prefix).await;
    what_is_deleted_is_gone(&*bucket, prefix).await;
}

fn attempt(name: &str) -> AttemptId {
    AttemptId(name.into())
}

async fn put(bucket: &dyn Bucket, key: &str, bytes: &'static [u8], by: &str) -> Created {
    let body = Body::Bytes(bytes.into());
    bucket.create(NewObject::new(key, body, &attempt(by))).await.expect("create")
}

async fn what_is_created_is_read_back(bucket: &dyn Bucket, prefix: &str) {
    let key = format!("{prefix}back");
    let body = Body::Bytes(b"abc".as_slice().into());
    let meta = [("rows", "7".to_owned())];
    bucket
        .create(NewObject { metadata: &meta, ..NewObject::new(&key, body, &attempt("a")) })
        .await
        .expect("create");
    let object = bucket.get(&key, None).await.expect("get");
    assert_eq!(&object.bytes[..], b"abc");
    assert_eq!(object.info.size, 3);
    assert_eq!(object.metadata("rows"), Some("7"));
    assert_eq!(object.metadata("attempt"), Some("a"));
    let head = bucket.head(&key).await.expect("head").expect("an object");
    assert_eq!(head.info, object.info);
    assert_eq!(head.metadata("rows"), Some("7"));
}

async fn what_is_missing_is_said_to_be_missing(bucket: &dyn Bucket, prefix: &str) {
    let key = format!("{prefix}missing");
    assert!(bucket.get(&key, None).await.expect_err("no object").is_not_found());
    assert!(bucket.get_tail(&key, 1).await.expect_err("no object").is_not_found());
    assert!(bucket.head(&key).await.expect("head").is_none());
    let copy = bucket.copy(&key, &format!("{prefix}copy-of-missing")).await;
    assert!(copy.expect_err("no source").is_not_found());
}

async fn a_second_creator_loses_and_the_first_recognises_itself(bucket: &dyn Bucket, prefix: &str) {
    let key = format!("{prefix}once");
    assert_eq!(put(bucket, &key, b"first", "a").await, Created::Now);
    assert_eq!(put(bucket, &key, b"second", "b").await, Created::Before);
    assert_eq!(put(bucket, &key, b"first", "a").await, Created::Now);
    assert_eq!(&bucket.get(&key, None).await.expect("get").bytes[..], b"first");
}

async fn of_many_creators_one_wins(bucket: &Arc<dyn Bucket>, prefix: &str) {
    let key = format!("{prefix}race");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (bucket, key) = (bucket.clone(), key.clone());
        tasks.spawn(async move {
            let body = Body::Bytes(format!("{n}").into());
            bucket
                .create(NewObject::new(&key, body, &attempt(&format!("{n}"))))
                .await
                .expect("create")
        });
    }
    let all = tasks.join_all().await;
    assert_eq!(all.iter().filter(|c| **c == Created::Now).count(), 1);
}

async fn another_version_is_refused(bucket: &dyn Bucket, prefix: &str) {
    let key = format!("{prefix}version");
    put(bucket, &key, b"x", "a").await;
    let etag = bucket.get(&key, None).await.expect("get").info.etag;
    bucket.get(&key, Some(&etag)).await.expect("the same version");
    assert!(bucket.get(&key, Some("other")).await.expect_err("another version").is_changed());
}

async fn the_tail_is_the_end(bucket: &dyn Bucket, prefix: &str) {
    let key = format!("{prefix}tail");
    put(bucket, &key, b"0123456789", "a").await;
    let tail = bucket.get_tail(&key, 3).await.expect("tail");
    assert_eq!((&tail.bytes[..], tail.info.size), (b"789".as_slice(), 10));
    assert_eq!(bucket.get_tail(&key, 99).await.expect("tail").bytes.len(), 10);
    let range = async |range| bucket.get_range(&key, &tail.info.etag, range).await.expect("range");
    assert_eq!(&range(2..5).await[..], b"234");
    assert!(range(5..5).await.is_empty());
    let other = bucket.get_range(&key, "another", 0..1).await;
    assert!(other.expect_err("another version").is_changed());
}

async fn a_file_is_a_body(bucket: &dyn Bucket, prefix: &str) {
    let key = format!("{prefix}file");
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&vec![7; 300_000]).expect("write");
    bucket.create(NewObject::new(&key, Body::File(file), &attempt("a"))).await.expect("create");
    assert_eq!(bucket.get(&key, None).await.expect("get").bytes, vec![7; 300_000]);
}

async fn a_list_is_complete_ordered_and_within_its_prefix(bucket: &dyn Bucket, prefix: &str) {
    for n in [3, 1, 2] {
        put(bucket, &format!("{prefix}list/{n}"), b"", "a").await;
    }
    put(bucket, &format!("{prefix}listless"), b"", "a").await;
    let keys = bucket.list(&format!("{prefix}list/")).await.expect("list");
    let keys: Vec<_> = keys.iter().map(|o| o.key.trim_start_matches(prefix)).collect();
    assert_eq!(keys, ["list/1", "list/2", "list/3"]);
    let folder = format!("{prefix}list/");
    let page = async |after: Option<&str>, most| {
        let page = bucket.list_page(&folder, after, most).await.expect("a page");
        page.into_iter().map(|o| o.key).collect::<Vec<_>>()
    };
    let all: Vec<_> = (1..=3).map(|n| format!("{folder}{n}")).collect();
    assert_eq!(page(None, 1).await, all[..1], "the first");
    assert_eq!(page(Some(&all[0]), 1000).await, all[1..], "those after the first");
    assert_eq!(bucket.list(&format!("{prefix}none/")).await.expect("list"), []);
}

async fn a_copy_is_equal_and_may_be_repeated(bucket: &dyn Bucket, prefix: &str) {
    let (from, to) = (format!("{prefix}from"), format!("{prefix}to"));
    put(bucket, &from, b"content", "a").await;
    for _ in 0..2 {
        bucket.copy(&from, &to).await.expect("copy");
        assert_eq!(&bucket.get(&to, None).await.expect("get").bytes[..], b"content");
    }
}

async fn what_is_deleted_is_gone(bucket: &dyn Bucket, prefix: &str) {
    let keys = [format!("{prefix}gone"), format!("{prefix}never")];
    put(bucket, &keys[0], b"", "a").await;
    bucket.delete(&keys).await.expect("delete");
    assert!(bucket.head(&keys[0]).await.expect("head").is_none());
    bucket.delete(&[]).await.expect("delete nothing");
}
