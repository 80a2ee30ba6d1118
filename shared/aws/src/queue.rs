//! The protocol's queue on SQS.

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_protocol::queue::{Queue, QueueError};
use tidemill_protocol::record::TaskMessage;

/// Messages of one SendMessageBatch request.
const BATCH: usize = 10;

/// Requests under way at once.
const PARALLEL: usize = 16;

/// How often the part of a batch that SQS refused is sent again.
const RETRIES: usize = 3;

/// A queue of SQS.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    async fn send_batch(&self, messages: &[TaskMessage]) -> Result<(), Source> {
        let mut left: Vec<(String, &TaskMessage)> =
            messages.iter().enumerate().map(|(n, m)| (n.to_string(), m)).collect();
        for _ in 0..=RETRIES {
            let failed = self.try_send(&left).await?;
            left.retain(|(id, _)| failed.contains(id));
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(format!("the queue refused {} messages", left.len()).into())
    }

    /// Sends once; the ids of the messages that were refused.
    async fn try_send(&self, messages: &[(String, &TaskMessage)]) -> Result<Vec<String>, Source> {
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (id, message) in messages {
            let body = serde_json::to_string(message)?;
            let entry = SendMessageBatchRequestEntry::builder()
                .id(id)
                .message_body(body)
                // standard queues serve groups fairly
                .message_group_id(message.run.as_str().chars().take(128).collect::<String>())
                .build()?;
            request = request.entries(entry);
        }
        let sent = request.send().await.map_err(|e| DisplayErrorContext(e).to_string())?;
        Ok(sent.failed.into_iter().map(|f| f.id).collect())
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: &[TaskMessage]) -> Result<(), QueueError> {
        let failed = |source| QueueError { count: messages.len(), source };
        let batches: Vec<_> = messages.chunks(BATCH).map(|b| self.send_batch(b)).collect();
        stream::iter(batches).buffer_unordered(PARALLEL).try_collect::<()>().await.map_err(failed)
    }
}

/// The queue of a function that sends nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoQueue;

#[async_trait]
impl Queue for NoQueue {
    async fn send(&self, messages: &[TaskMessage]) -> Result<(), QueueError> {
        let source = crate::env::MissingVariable(crate::env::TASK_QUEUE_URL).into();
        Err(QueueError { count: messages.len(), source })
    }
}
