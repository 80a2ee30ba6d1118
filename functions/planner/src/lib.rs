//! The planner: turns uploads into tasks.

mod handler;
mod planners;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Deployment, env, reader, telemetry};
use tidemill_compute::{DataFusionEngine, Resources};
use tidemill_protocol::calls::CallPlanner;

use handler::Handler;
use planners::Planners;

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let queue_url = env::required(env::EVENTS_QUEUE_URL)?;
    let store = reader(&deployment.config, &deployment.bucket_name)?;
    let statements =
        DataFusionEngine::new(store, deployment.bucket_name.clone(), Resources::from_env());
    let concurrency = env::optional(env::LOCAL_WORKERS).and_then(|n| n.parse().ok());
    let calls = CallPlanner::new(deployment.bucket.clone(), concurrency);
    let planners = Planners { statements, calls };
    let handler = Arc::new(Handler { deployment, queue_url, planners });
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let handler = handler.clone();
        async move { Ok::<_, Error>(handler.handle(event).await) }
    }))
    .await
}
