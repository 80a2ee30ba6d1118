use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Context, LambdaEvent};
use tidemill_aws::event::uploads;
use tidemill_aws::{Deployment, Handled, Trace, batch, hide};
use tidemill_protocol::record::{TaskMessage, WatchMessage};
use tidemill_protocol::tuning::WATCH_INTERVAL;
use tidemill_protocol::watch::{self, Next};
use tidemill_protocol::{Key, ObjectEvent, ProtocolError, dispatch, work};
use tracing::{Instrument, error, info, info_span};

pub(crate) struct Handler {
    pub(crate) deployment: Deployment,
    /// Of the watch queue.
    pub(crate) queue_url: String,
}

impl Handler {
    /// Looks after runs, cancels them, and ends those whose messages were given up.
    pub(crate) async fn handle(&self, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
        let invocation = event.context;
        batch(event.payload.records, async |message| {
            let trace = Trace::of(message, &invocation);
            let span = info_span!("message", trace = trace.id());
            self.one(message, &invocation).instrument(span).await
        })
        .await
    }

    async fn one(
        &self,
        message: &SqsMessage,
        invocation: &Context,
    ) -> Result<Handled, ProtocolError> {
        let cx = self.deployment.context(message, invocation);
        let body = message.body.as_deref().unwrap_or_default();
        if let Ok(watched) = serde_json::from_str::<WatchMessage>(body) {
            return self.watch(&cx, &watched, message).await;
        }
        if let Ok(task) = serde_json::from_str::<TaskMessage>(body) {
            let outcome = work::give_up(&cx, &task).await?;
            info!(run = %task.run, ended = outcome.is_some(), "dead task");
            return Ok(Handled::Done);
        }
        match uploads(body) {
            Ok(uploads) => {
                for upload in uploads {
                    end(&cx, &upload).await?;
                }
            }
            // nothing can be done about a letter that nobody can read but to say so
            Err(e) => error!(error = %e, body, "dead letter dropped"),
        }
        Ok(Handled::Done)
    }

    /// Keeps the message until the run is closed.
    async fn watch(
        &self,
        cx: &tidemill_protocol::Context,
        watched: &WatchMessage,
        message: &SqsMessage,
    ) -> Result<Handled, ProtocolError> {
        let looked = watch::watch(cx, watched).await;
        let wait = match &looked {
            Ok(Next::Closed) => return Ok(Handled::Done),
            Ok(Next::Look(after)) => *after,
            Err(_) => WATCH_INTERVAL,
        };
        let receipt = message.receipt_handle.as_deref().unwrap_or_default();
        hide(&self.deployment.sqs, &self.queue_url, receipt, wait).await;
        looked.map(|_| Handled::Kept)
    }
}

/// Ends the run that a cancel key names, or those that an upload was to start and no planner could.
async fn end(cx: &tidemill_protocol::Context, upload: &ObjectEvent) -> Result<(), ProtocolError> {
    if let Some(run) = Key::cancelled_run(&upload.key) {
        watch::cancel(cx, &run).await?;
        return Ok(());
    }
    let reason = format!(
        "the planner did not get {} started; its log says why, and uploading the file again tries \
         again",
        upload.key
    );
    dispatch::give_up(cx, upload, &reason).await?;
    Ok(())
}
