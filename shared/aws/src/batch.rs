//! Batches of messages, reported message by message.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use tidemill_protocol::context::full_text;
use tracing::error;

/// What becomes of a message that was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It is done with.
    Done,
    /// It stays in the queue: it is needed again.
    Kept,
}

/// Handles the messages of a batch side by side and reports those that failed or are kept, so that
/// only they are delivered again.
pub async fn batch<E: std::error::Error>(
    messages: Vec<SqsMessage>,
    handle: impl AsyncFn(&SqsMessage) -> Result<Handled, E>,
) -> SqsBatchResponse {
    let results = messages.into_iter().map(|message| {
        let handle = &handle;
        async move {
            match handle(&message).await {
                Ok(Handled::Done) => return None,
                Ok(Handled::Kept) => {}
                Err(e) => {
                    error!(id = message.message_id, error = %full_text(&e), "message failed");
                }
            }
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            Some(failure)
        }
    });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures =
        futures::future::join_all(results).await.into_iter().flatten().collect();
    response
}
