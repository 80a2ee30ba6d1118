use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Context, LambdaEvent};
use tidemill_aws::event::uploads;
use tidemill_aws::{Function, batch};
use tidemill_protocol::record::TaskMessage;
use tidemill_protocol::{ProtocolError, dispatch, work};
use tracing::{error, info};

/// Ends the runs whose messages were given up.
pub(crate) async fn handle(function: &Function, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
    let invocation = event.context;
    let letters = event.payload.records;
    batch(letters, async |message| bury(function, message, &invocation).await).await
}

async fn bury(
    function: &Function,
    message: &SqsMessage,
    invocation: &Context,
) -> Result<(), ProtocolError> {
    let cx = function.context(message, invocation);
    let body = message.body.as_deref().unwrap_or_default();
    if let Ok(task) = serde_json::from_str::<TaskMessage>(body) {
        let outcome = work::give_up(&cx, &task).await?;
        info!(run = %task.run, ended = outcome.is_some(), "dead task");
        return Ok(());
    }
    match uploads(body) {
        Ok(uploads) => {
            for upload in uploads {
                let reason = format!(
                    "the planner did not get {} started; its log says why, and uploading the file \
                     again tries again",
                    upload.key
                );
                dispatch::give_up(&cx, &upload, &reason).await?;
            }
        }
        // nothing can be done about a letter that nobody can read but to say so
        Err(e) => error!(error = %e, body, "dead letter dropped"),
    }
    Ok(())
}
