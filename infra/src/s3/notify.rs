//! Storage events, as S3 sends them to queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::sqs::Queue;

/// In event keys everything but these is escaped; a space is `+`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// One queue configuration of a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    pub(crate) id: String,
    pub(crate) bucket: String,
    /// E.g. `s3:ObjectCreated:*`.
    pub(crate) events: Vec<String>,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    pub(crate) queue: Arc<Queue>,
}

impl Notification {
    fn wants(&self, bucket: &str, key: &str, event: &str) -> bool {
        let name = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => format!("s3:{event}").starts_with(start),
            None => *pattern == format!("s3:{event}"),
        };
        self.bucket == bucket
            && key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
            && self.events.iter().any(name)
    }
}

/// Who is to be told of what happens in the buckets.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    all: Vec<Notification>,
    /// Counts on from the start's clock, so that later events of a key have larger sequencers.
    sequencer: AtomicU64,
    region: String,
}

/// What became of an object.
#[derive(Debug)]
pub(crate) struct ObjectChange<'a> {
    /// E.g. `ObjectCreated:Put`.
    pub(crate) event: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) size: u64,
    pub(crate) etag: &'a str,
}

impl Notifications {
    pub(crate) fn new(all: Vec<Notification>, region: String) -> Self {
        let start = u64::try_from(Utc::now().timestamp_micros()).unwrap_or(0);
        Self { all, sequencer: AtomicU64::new(start << 8), region }
    }

    pub(crate) fn publish(&self, change: &ObjectChange<'_>) {
        let ObjectChange { event, bucket, key, .. } = change;
        let sequencer = self.sequencer.fetch_add(1, Ordering::Relaxed);
        for notification in self.all.iter().filter(|n| n.wants(bucket, key, event)) {
            notification.queue.send_plain(self.record(notification, change, sequencer));
        }
    }

    /// Structure and fields of event version 2.1: Amazon S3 User Guide, "Event message structure".
    fn record(
        &self,
        notification: &Notification,
        change: &ObjectChange<'_>,
        sequencer: u64,
    ) -> String {
        let ObjectChange { event, bucket, key, size, etag } = change;
        let key = utf8_percent_encode(key, KEY).to_string().replace(' ', "+");
        let mut object = json!({ "key": key, "sequencer": format!("{sequencer:016X}") });
        if event.starts_with("ObjectCreated") {
            object["size"] = json!(size);
            object["eTag"] = json!(etag);
        }
        let request = uuid::Uuid::new_v4().simple().to_string();
        json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": self.region,
            "eventTime": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "eventName": event,
            "userIdentity": { "principalId": "local" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": request, "x-amz-id-2": request },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": notification.id,
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": { "principalId": "local" },
                    "arn": format!("arn:aws:s3:::{bucket}"),
                },
                "object": object,
            },
        }] })
        .to_string()
    }
}
