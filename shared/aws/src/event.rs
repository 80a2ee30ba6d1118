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
    use std::path::Path;

    use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
    use aws_lambda_events::event::sqs::SqsEvent;
    use tidemill_protocol::record::{TaskMessage, WatchMessage};
    use tidemill_protocol::{JobName, RunId};

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

    /// Sample events for `cargo lambda invoke`: what they name is one run.
    #[test]
    fn sample_events_are_what_functions_take() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/events");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a sample event");
        let body = |name: &str| -> String {
            let event: SqsEvent = serde_json::from_str(&read(name)).expect("an event of a queue");
            event.records[0].body.clone().expect("a body")
        };
        let upload = &uploads(&body("planner.json")).expect("a storage event")[0];
        assert_eq!((upload.key.as_str(), upload.size), ("jobs/sample.sql", 8));
        let identity = [upload.bucket.as_str(), &upload.key, &upload.sequencer, &upload.etag, ""];
        let job = JobName::new("sample");
        let run = RunId::of_event(&job, upload.time, &identity);
        let task: TaskMessage = serde_json::from_str(&body("worker.json")).expect("a task");
        let watch: WatchMessage = serde_json::from_str(&body("watcher.json")).expect("a run");
        let asked: ApiGatewayV2httpRequest =
            serde_json::from_str(&read("api.json")).expect("a GET");
        assert_eq!((&task.run, &watch.watch), (&run, &run));
        assert_eq!(asked.path_parameters.get("id").map(String::as_str), Some(run.as_str()));
    }
}
