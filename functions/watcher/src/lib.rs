//! The watcher: looks after runs, cancels them, and ends those whose messages were given up.

mod handler;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Deployment, env, telemetry};

use handler::Handler;

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let queue_url = env::required(env::WATCH_QUEUE_URL)?;
    let handler = Arc::new(Handler { deployment, queue_url });
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let handler = handler.clone();
        async move { Ok::<_, Error>(handler.handle(event).await) }
    }))
    .await
}
