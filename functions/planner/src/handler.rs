use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use tidemill_aws::event::{NoEvent, uploads};
use tidemill_aws::{Function, batch};
use tidemill_protocol::dispatch::dispatch;
use tidemill_protocol::{Engine, ProtocolError};
use tracing::warn;

/// Why a message is delivered again.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Event(#[from] NoEvent),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// Starts the runs that a batch of storage events asks for.
pub(crate) async fn handle(
    function: &Function,
    engine: &dyn Engine,
    event: SqsEvent,
) -> SqsBatchResponse {
    batch(event.records, async |message| start(function, engine, message).await).await
}

async fn start(
    function: &Function,
    engine: &dyn Engine,
    message: &SqsMessage,
) -> Result<(), Failed> {
    let cx = function.context(message);
    for upload in uploads(message.body.as_deref().unwrap_or_default())? {
        if upload.bucket == function.bucket_name {
            dispatch(&cx, engine, &upload).await?;
        } else {
            warn!(bucket = %upload.bucket, "an event of another bucket is left out");
        }
    }
    Ok(())
}
