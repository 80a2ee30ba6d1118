//! The worker: executes tasks of statements.

use std::sync::Arc;

use lambda_runtime::Error;
use tidemill_aws::{Deployment, reader, serve_tasks, telemetry};
use tidemill_compute::{DataFusionEngine, Resources};

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let store = reader(&deployment.config, &deployment.bucket_name)?;
    let engine =
        DataFusionEngine::new(store, deployment.bucket_name.clone(), Resources::from_env());
    serve_tasks(deployment, Arc::new(engine)).await
}
