//! Event source mappings: from a queue to a function.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{debug, error};

use super::Function;
use crate::faults::Delivery;
use crate::sqs::{MessageAttribute, Queue, Received, TRACE_HEADER};

/// How long one poll of the queue waits. A message ends the wait at once.
const POLL: Duration = Duration::from_secs(20);

/// The most messages of one batch without a window.
const RECEIVED_MESSAGES: usize = 10;

/// A queue whose messages a function handles.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) function: Arc<Function>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) batch: usize,
    pub(crate) window: Duration,
    pub(crate) partial: bool,
    pub(crate) region: String,
    pub(crate) queue_arn: String,
}

impl Mapping {
    /// Polls for as long as it is not dropped. A batch is received only when there is a place
    /// for it, so that no message waits hidden; and a place is taken only when there is a message,
    /// since another queue may need it.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut handled = tokio::task::JoinSet::new();
        loop {
            if !self.queue.wait(POLL).await {
                continue;
            }
            let place = self.function.place().await;
            let batch = self.receive().await;
            if !batch.is_empty() {
                let mapping = self.clone();
                handled.spawn(async move { mapping.handle(&place, batch).await });
            }
            while handled.try_join_next().is_some() {}
        }
    }

    async fn receive(&self) -> Vec<Received> {
        let limit =
            if self.window.is_zero() { self.batch.min(RECEIVED_MESSAGES) } else { self.batch };
        let mut batch =
            self.queue.receive(limit.min(RECEIVED_MESSAGES), Duration::ZERO, None).await;
        let end = Instant::now() + self.window;
        while !batch.is_empty() && batch.len() < limit && Instant::now() < end {
            let wait = end - Instant::now();
            let more = (limit - batch.len()).min(RECEIVED_MESSAGES);
            batch.extend(self.queue.receive(more, wait, None).await);
        }
        batch
    }

    async fn handle(&self, place: &OwnedSemaphorePermit, batch: Vec<Received>) {
        let payload = Bytes::from(self.event(&batch).to_string());
        let deliveries: Vec<_> =
            batch.iter().map(|m| Delivery { message: &m.id, receives: m.receives }).collect();
        let failed = match self.function.invoke(place, payload, &deliveries).await {
            Ok(response) => self.failures(&response, &batch),
            Err(e) => {
                // the messages come back when their visibility ends, as on AWS
                error!(function = %self.function.spec.id, error = %with_source(&e), "invocation failed");
                return;
            }
        };
        for message in batch.iter().filter(|m| !failed.contains(&m.id)) {
            self.queue.delete(&message.receipt);
        }
        if !failed.is_empty() {
            // the function has said why; the watcher keeps its messages this way
            debug!(function = %self.function.spec.id, kept = failed.len(), of = batch.len(), "messages kept");
        }
    }

    /// The ids of the messages that failed: AWS Lambda Developer Guide, "Handling errors for an
    /// SQS event source". A response that makes no sense fails the whole batch.
    fn failures(&self, response: &[u8], batch: &[Received]) -> HashSet<String> {
        if !self.partial {
            return HashSet::new();
        }
        let all = || batch.iter().map(|m| m.id.clone()).collect();
        let Ok(response) = serde_json::from_slice::<Value>(response) else {
            return if response.is_empty() { HashSet::new() } else { all() };
        };
        let Some(failures) = response.get("batchItemFailures").filter(|f| !f.is_null()) else {
            return HashSet::new();
        };
        let ids: Option<HashSet<String>> = failures.as_array().and_then(|failures| {
            failures.iter().map(|f| f["itemIdentifier"].as_str().map(str::to_owned)).collect()
        });
        match ids {
            Some(ids) if ids.iter().all(|id| batch.iter().any(|m| m.id == *id)) => ids,
            _ => all(),
        }
    }

    fn event(&self, batch: &[Received]) -> Value {
        let records: Vec<_> = batch.iter().map(|message| self.record(message)).collect();
        json!({ "Records": records })
    }

    fn record(&self, received: &Received) -> Value {
        let message = &received.message;
        let mut attributes = json!({
            "ApproximateReceiveCount": received.receives.to_string(),
            "SentTimestamp": received.sent.to_string(),
            "SenderId": "local",
            "ApproximateFirstReceiveTimestamp": received.first_received.to_string(),
        });
        if let Some(group) = &message.group {
            attributes["MessageGroupId"] = json!(group);
        }
        if let Some(trace) = &message.trace {
            attributes[TRACE_HEADER] = json!(trace);
        }
        let custom: serde_json::Map<_, _> =
            message.attributes.iter().map(|(n, a)| (n.clone(), attribute(a))).collect();
        json!({
            "messageId": received.id,
            "receiptHandle": received.receipt,
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": custom,
            "md5OfBody": message.body_md5(),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.queue_arn,
            "awsRegion": self.region,
        })
    }
}

fn attribute(attribute: &MessageAttribute) -> Value {
    json!({
        "dataType": attribute.data_type,
        "stringValue": attribute.string,
        "stringListValues": [],
        "binaryListValues": [],
    })
}

fn with_source(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |s| format!("{error}: {s}"))
}
