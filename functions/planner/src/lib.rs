//! The planner: turns uploads into tasks.

mod handler;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Deployment, env, reader, telemetry};
use tidemill_compute::{DataFusionEngine, Resources};

use handler::Handler;

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let queue_url = env::required(env::EVENTS_QUEUE_URL)?;
    let store = reader(&deployment.config, &deployment.bucket_name)?;
    let engine =
        DataFusionEngine::new(store, deployment.bucket_name.clone(), Resources::from_env());
    let handler = Arc::new(Handler { deployment, queue_url, engine });
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let handler = handler.clone();
        async move { Ok::<_, Error>(handler.handle(event).await) }
    }))
    .await
}
