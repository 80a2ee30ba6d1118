//! The protocol's queues on SQS.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_protocol::context::full_text;
use tidemill_protocol::queue::{Queue, QueueError, WorkerKind};
use tidemill_protocol::record::{TaskMessage, WatchMessage};

use crate::env::{self, MissingVariable};
use crate::trace::Trace;

/// Messages of one SendMessageBatch request.
const BATCH_MESSAGES_MAX: usize = 10;

/// Requests under way at once.
const PARALLEL_REQUESTS: usize = 16;

/// The longest delay of a message, in seconds: Amazon SQS message quotas.
const DELAY_SECONDS_MAX: i32 = 900;

/// How often the part of a batch that SQS refused is sent again.
const REFUSED_RETRIES_MAX: usize = 3;

/// The queues that a function sends to, by their URLs in the environment. One that a function has
/// no use for is not there.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    client: Client,
    trace: Trace,
}

impl SqsQueues {
    /// The queues, as the client reaches them; what is sent starts a trace of its own.
    pub fn new(client: Client) -> Self {
        Self { client, trace: Trace::default() }
    }

    /// The same queues; what is sent carries a trace on.
    #[must_use]
    pub fn of(&self, trace: Trace) -> Self {
        Self { trace, ..self.clone() }
    }

    /// What messages say to SQS itself.
    fn system_attributes(&self) -> Result<Option<SystemAttributes>, BuildError> {
        let Some(header) = self.trace.header() else { return Ok(None) };
        let value = MessageSystemAttributeValue::builder().data_type("String");
        let value = value.string_value(header).build()?;
        Ok(Some(HashMap::from([(MessageSystemAttributeNameForSends::AwsTraceHeader, value)])))
    }

    async fn send_batch(&self, url: &str, messages: &[TaskMessage]) -> Result<(), Source> {
        let mut left: Vec<(String, &TaskMessage)> =
            messages.iter().enumerate().map(|(n, m)| (n.to_string(), m)).collect();
        for _ in 0..=REFUSED_RETRIES_MAX {
            let failed = self.try_send(url, &left).await?;
            left.retain(|(id, _)| failed.contains(id));
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(format!("the queue refused {} messages", left.len()).into())
    }

    /// Sends once; the ids of the messages that were refused.
    async fn try_send(
        &self,
        url: &str,
        messages: &[(String, &TaskMessage)],
    ) -> Result<Vec<String>, Source> {
        let mut request = self.client.send_message_batch().queue_url(url);
        for (id, message) in messages {
            let body = serde_json::to_string(message)?;
            let entry = SendMessageBatchRequestEntry::builder()
                .id(id)
                .message_body(body)
                .set_message_system_attributes(self.system_attributes()?)
                // standard queues serve groups fairly
                .message_group_id(message.run.as_str().chars().take(128).collect::<String>())
                .build()?;
            request = request.entries(entry);
        }
        let sent = request.send().await.map_err(|e| full_text(&e))?;
        Ok(sent.failed.into_iter().map(|f| f.id).collect())
    }
}

type SystemAttributes = HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl Queue for SqsQueues {
    async fn send(&self, to: WorkerKind, messages: &[TaskMessage]) -> Result<(), QueueError> {
        let failed = |source| QueueError { count: messages.len(), source };
        let url = env::required(env::task_queue_url(to))
            .map_err(|e: MissingVariable| failed(e.into()))?;
        let batches: Vec<_> =
            messages.chunks(BATCH_MESSAGES_MAX).map(|b| self.send_batch(&url, b)).collect();
        stream::iter(batches)
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect::<()>()
            .await
            .map_err(failed)
    }

    async fn watch(&self, message: &WatchMessage, delay: Duration) -> Result<(), QueueError> {
        let sent = async {
            let url = env::required(env::WATCH_QUEUE_URL)?;
            let delay = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
            let request = self.client.send_message().queue_url(url);
            let request = request.message_body(serde_json::to_string(message)?);
            let request = request.set_message_system_attributes(self.system_attributes()?);
            let sent = request.delay_seconds(delay.min(DELAY_SECONDS_MAX)).send().await;
            sent.map_err(|e| full_text(&e))?;
            Ok::<_, Source>(())
        };
        sent.await.map_err(|source| QueueError { count: 1, source })
    }
}
