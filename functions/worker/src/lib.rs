//! The worker: executes one task of a stage.

mod handler;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Deployment, env, reader, telemetry};
use tidemill_compute::{DataFusionEngine, Resources};
use tidemill_protocol::WorkerSize;
use tidemill_protocol::work::Worker;

use handler::Handler;

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let queue_url = env::required(match deployment.size {
        WorkerSize::Normal => env::TASK_QUEUE_URL,
        WorkerSize::Large => env::LARGE_TASK_QUEUE_URL,
    })?;
    let store = reader(&deployment.config, &deployment.bucket_name)?;
    let engine =
        DataFusionEngine::new(store, deployment.bucket_name.clone(), Resources::from_env());
    let worker = Worker::new(Arc::new(engine));
    let handler = Arc::new(Handler { deployment, queue_url, worker });
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let handler = handler.clone();
        async move { Ok::<_, Error>(handler.handle(event).await) }
    }))
    .await
}
