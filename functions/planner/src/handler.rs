use crate::planners::Planners;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Context, LambdaEvent};
use tidemill_aws::event::{NoEvent, uploads};
use tidemill_aws::{Deployment, Handled, Heartbeat, Trace, batch};
use tidemill_protocol::ProtocolError;
use tidemill_protocol::dispatch::dispatch;
use tracing::{Instrument, info_span, warn};

/// Why a message is delivered again.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Event(#[from] NoEvent),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

pub(crate) struct Handler {
    pub(crate) deployment: Deployment,
    pub(crate) queue_url: String,
    pub(crate) planners: Planners,
}

impl Handler {
    /// Starts the runs that a batch of storage events asks for.
    pub(crate) async fn handle(&self, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
        let invocation = event.context;
        batch(event.payload.records, async |message| self.start(message, &invocation).await).await
    }

    async fn start(&self, message: &SqsMessage, invocation: &Context) -> Result<Handled, Failed> {
        let (sqs, url) = (self.deployment.sqs.clone(), self.queue_url.clone());
        let _alive = Heartbeat::start(sqs, url, message).await;
        let cx = self.deployment.context(message, invocation);
        for upload in uploads(message.body.as_deref().unwrap_or_default())? {
            if upload.bucket == self.deployment.bucket_name {
                let trace = Trace::of(message, invocation);
                let span = info_span!("upload", trace = trace.id(), key = %upload.key);
                dispatch(&cx, &self.planners, &upload).instrument(span).await?;
            } else {
                warn!(bucket = %upload.bucket, "an event of another bucket is left out");
            }
        }
        Ok(Handled::Done)
    }
}
