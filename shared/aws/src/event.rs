//! Storage events, as they come in queue messages.

use aws_lambda_events::event::s3::{S3Event, S3EventRecord};
use percent_encoding::percent_decode_str;
use tidemill_protocol::ObjectEvent;

/// A message that is no storage event.
#[derive(Debug, thiserror::Error)]
#[error("the message is no S3 event")]
pub struct NoEvent(#[source] pub serde_json::Error);

/// The uploads that a message tells of. S3's test message tells of none.
///
/// # Errors
/// The body is no S3 event.
pub fn uploads(body: &str) -> Result<Vec<ObjectEvent>, NoEvent> {
    if let Ok(test) = serde_json::from_str::<serde_json::Value>(body)
        && test.get("Event").is_some_and(|e| e == "s3:TestEvent")
    {
        return Ok(vec![]);
    }
    let event: S3Event = serde_json::from_str(body).map_err(NoEvent)?;
    Ok(event.records.into_iter().filter_map(upload).collect())
}

fn upload(record: S3EventRecord) -> Option<ObjectEvent> {
    let object = record.s3.object;
    let key = object.key?.replace('+', " ");
    Some(ObjectEvent {
        bucket: record.s3.bucket.name?,
        key: percent_decode_str(&key).decode_utf8().ok()?.into_owned(),
        size: u64::try_from(object.size.unwrap_or(0)).unwrap_or(0),
        etag: object.e_tag.unwrap_or_default(),
        sequencer: object.sequencer.unwrap_or_default(),
        time: record.event_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3",
        "awsRegion": "us-east-1", "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "p"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"}, "responseElements": {},
        "s3": {"s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": {"name": "b", "ownerIdentity": {"principalId": "p"}, "arn": "arn:aws:s3:::b"},
            "object": {"key": "jobs/a+b%2Bc%C3%A9.sql", "size": 3, "eTag": "e", "sequencer": "01"}}}]}"#;

    #[test]
    fn keys_are_decoded() {
        let uploads = uploads(EVENT).expect("an event");
        assert_eq!(uploads[0].key, "jobs/a b+cé.sql");
        assert_eq!((uploads[0].bucket.as_str(), uploads[0].size), ("b", 3));
    }

    #[test]
    fn the_test_message_is_no_upload_and_other_text_is_an_error() {
        assert!(
            uploads(r#"{"Service": "Amazon S3", "Event": "s3:TestEvent"}"#).expect("ok").is_empty()
        );
        assert!(uploads("hello").is_err());
    }
}
