//! Tags of objects on the emulator, as the AWS SDK sees them.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Tag, Tagging, TaggingDirective};

use crate::support::emulator::Emulator;

const BUCKET: &str = "tidemill";

fn tagging(pairs: &[(&str, &str)]) -> Tagging {
    let tags = pairs.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>().expect("tags");
    Tagging::builder().set_tag_set(Some(tags)).build().expect("a set")
}

async fn tags(emulator: &Emulator, key: &str) -> Vec<(String, String)> {
    let client = emulator.bucket.client();
    let found = client.get_object_tagging().bucket(BUCKET).key(key).send().await.expect("tags");
    found.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn tags_are_put_counted_replaced_and_deleted_and_outlast_the_emulator() {
    let emulator = Emulator::start().await;
    let client = emulator.bucket.client().clone();
    let put = client.put_object().bucket(BUCKET).key("a").tagging("team=sea+side&empty=");
    let etag = put.body("x".as_bytes().to_vec().into()).send().await.expect("put").e_tag;
    assert_eq!(tags(&emulator, "a").await, pairs(&[("empty", ""), ("team", "sea side")]));
    let get = client.get_object().bucket(BUCKET).key("a").send().await.expect("got");
    assert_eq!(get.tag_count, Some(2));
    let head = client.head_object().bucket(BUCKET).key("a").send().await.expect("a head");
    assert_eq!((head.tag_count, &head.e_tag), (Some(2), &etag));
    let set = client.put_object_tagging().bucket(BUCKET).key("a");
    set.tagging(tagging(&[("stage", "prod"), ("é", "ß")])).send().await.expect("tagged");
    let expected = pairs(&[("stage", "prod"), ("é", "ß")]);
    assert_eq!(tags(&emulator, "a").await, expected);
    let emulator = emulator.restart_after("TERM").await;
    let client = emulator.bucket.client().clone();
    assert_eq!(tags(&emulator, "a").await, expected);
    let deleted = client.delete_object_tagging().bucket(BUCKET).key("a").send().await;
    deleted.expect("deleted");
    assert_eq!(tags(&emulator, "a").await, []);
    let get = client.get_object().bucket(BUCKET).key("a").send().await.expect("got");
    assert_eq!((get.tag_count, &get.e_tag), (None, &etag));
    let missing = client.get_object_tagging().bucket(BUCKET).key("b").send().await;
    assert_eq!(missing.expect_err("no such key").code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn tags_go_with_copies_and_uploads_in_parts_and_keep_the_limits_of_s3() {
    let emulator = Emulator::start().await;
    let client = emulator.bucket.client().clone();
    let put = client.put_object().bucket(BUCKET).key("a").tagging("of=source");
    put.body("x".as_bytes().to_vec().into()).send().await.expect("put");
    let copy = |to: &str| client.copy_object().bucket(BUCKET).key(to).copy_source("tidemill/a");
    // S3 looks at the header only where the directive says so
    copy("b").tagging("of=copy").send().await.expect("copied");
    assert_eq!(tags(&emulator, "b").await, pairs(&[("of", "source")]));
    let replace = copy("c").tagging_directive(TaggingDirective::Replace);
    replace.tagging("of=copy").send().await.expect("copied");
    assert_eq!(tags(&emulator, "c").await, pairs(&[("of", "copy")]));
    let none = copy("d").tagging_directive(TaggingDirective::Replace);
    none.send().await.expect("copied");
    assert_eq!(tags(&emulator, "d").await, []);
    let started = client.create_multipart_upload().bucket(BUCKET).key("m").tagging("of=parts");
    let id = started.send().await.expect("started").upload_id.expect("an id");
    let part = client.upload_part().bucket(BUCKET).key("m").upload_id(&id).part_number(1);
    let part = part.body("x".as_bytes().to_vec().into()).send().await.expect("a part");
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let all = CompletedMultipartUpload::builder().parts(part).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("m").upload_id(&id);
    complete.multipart_upload(all).send().await.expect("completed");
    assert_eq!(tags(&emulator, "m").await, pairs(&[("of", "parts")]));
    emulator.put("a", "y").await;
    assert_eq!(tags(&emulator, "a").await, [], "a new object has tags of its own");

    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let eleven: Vec<(&str, &str)> = eleven.iter().map(|n| (n.as_str(), "")).collect();
    let (key, value) = ("k".repeat(129), "v".repeat(257));
    for (wrong, code) in [
        (tagging(&eleven), "BadRequest"),
        (tagging(&[("a", "1"), ("a", "2")]), "InvalidTag"),
        (tagging(&[(&key, "")]), "InvalidTag"),
        (tagging(&[("k", &value)]), "InvalidTag"),
        (tagging(&[("aws:k", "")]), "InvalidTag"),
    ] {
        let refused = client.put_object_tagging().bucket(BUCKET).key("b").tagging(wrong);
        assert_eq!(refused.send().await.expect_err("refused").code(), Some(code));
    }
    let put = client.put_object().bucket(BUCKET).key("e").tagging("a=1&a=2").send().await;
    assert_eq!(put.expect_err("refused").code(), Some("InvalidArgument"));
    assert!(emulator.keys("e").await.is_empty(), "what is refused is not written");
}
