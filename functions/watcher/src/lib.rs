//! The watcher: ends the runs of dead letters.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Function, telemetry};

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let function = Function::from_env().await?;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let function = function.clone();
        async move { Ok::<_, Error>(handler::handle(&function, event).await) }
    }))
    .await
}
