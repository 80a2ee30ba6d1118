//! The handler of every kind of worker.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use tidemill_protocol::record::TaskMessage;
use tidemill_protocol::work::Worker;
use tidemill_protocol::{Engine, ProtocolError};
use tracing::{Instrument, info_span};

use crate::batch::{Handled, batch};
use crate::deployment::Deployment;
use crate::env;
use crate::trace::Trace;
use crate::visibility::Heartbeat;

/// Why a message is delivered again.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the message names no task")]
    Message(#[from] serde_json::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

struct Handler {
    deployment: Deployment,
    queue_url: String,
    worker: Worker,
}

/// Executes tasks of the queue for the deployment's kind of worker with an engine, until Lambda ends the
/// function.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn serve_tasks(deployment: Deployment, engine: Arc<dyn Engine>) -> Result<(), Error> {
    let queue_url = env::required(env::task_queue_url(deployment.kind))?;
    let handler = Arc::new(Handler { deployment, queue_url, worker: Worker::new(engine) });
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let handler = handler.clone();
        async move { Ok::<_, Error>(handler.handle(event).await) }
    }))
    .await
}

impl Handler {
    /// Executes the tasks that a batch of messages names.
    async fn handle(&self, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
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
