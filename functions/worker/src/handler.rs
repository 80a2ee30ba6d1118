use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Context, LambdaEvent};
use tidemill_aws::{Deployment, Handled, Heartbeat, Trace, batch};
use tidemill_protocol::ProtocolError;
use tidemill_protocol::record::TaskMessage;
use tidemill_protocol::work::Worker;
use tracing::{Instrument, info_span};

/// Why a message is delivered again.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the message names no task")]
    Message(#[from] serde_json::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

pub(crate) struct Handler {
    pub(crate) deployment: Deployment,
    pub(crate) queue_url: String,
    pub(crate) worker: Worker,
}

impl Handler {
    /// Executes the tasks that a batch of messages names.
    pub(crate) async fn handle(&self, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
        let invocation = event.context;
        batch(event.payload.records, async |message| self.execute(message, &invocation).await).await
    }

    async fn execute(&self, message: &SqsMessage, invocation: &Context) -> Result<Handled, Failed> {
        let (sqs, url) = (self.deployment.sqs.clone(), self.queue_url.clone());
        let _alive = Heartbeat::start(sqs, url, message).await;
        let tasks: TaskMessage = serde_json::from_str(message.body.as_deref().unwrap_or_default())?;
        let cx = self.deployment.context(message, invocation);
        let trace = Trace::of(message, invocation);
        let trace = trace.id();
        let span =
            info_span!("task", trace, run = %tasks.run, stage = %tasks.stage, task = %tasks.task);
        self.worker.run_tasks(&cx, &tasks).instrument(span).await?;
        Ok(Handled::Done)
    }
}
