use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use tidemill_protocol::context::full_text;
use tokio::task::JoinHandle;
use tracing::warn;

/// How long a message stays hidden after its worker was last heard of, so that a death shows
/// within this time.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the worker is heard of.
const VISIBILITY_RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// Keeps a message hidden for as long as its worker lives.
#[derive(Debug)]
pub struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    /// Starts renewing. The queue's own visibility time-out is far longer, as Lambda demands: the
    /// first renewal shortens it, and nothing is done before it.
    pub async fn start(sqs: aws_sdk_sqs::Client, queue_url: String, message: &SqsMessage) -> Self {
        let receipt = message.receipt_handle.clone().unwrap_or_default();
        renew(&sqs, &queue_url, &receipt).await;
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(VISIBILITY_RENEWAL_INTERVAL).await;
                renew(&sqs, &queue_url, &receipt).await;
            }
        }))
    }
}

async fn renew(sqs: &aws_sdk_sqs::Client, queue_url: &str, receipt: &str) {
    // at worst the task is delivered a second time, and one of the two commits
    hide(sqs, queue_url, receipt, VISIBILITY_TIMEOUT).await;
}

/// Hides a message for a while from now on. If that fails, it stays hidden as long as it was to.
pub async fn hide(sqs: &aws_sdk_sqs::Client, queue_url: &str, receipt: &str, time: Duration) {
    let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
    let change = sqs
        .change_message_visibility()
        .queue_url(queue_url)
        .receipt_handle(receipt)
        .visibility_timeout(seconds);
    if let Err(e) = change.send().await {
        warn!(error = %full_text(&e), "the message's visibility was not changed");
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}
