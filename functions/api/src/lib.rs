//! The HTTP API: `GET /runs/{id}` tells what a run is doing.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Deployment, telemetry};

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let deployment = deployment.clone();
        async move { Ok::<_, Error>(handler::handle(&deployment, event.payload).await) }
    }))
    .await
}
