//! The planner: turns uploads into tasks.

mod handler;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{Function, reader, telemetry};
use tidemill_compute::{DataFusionEngine, Resources};

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let function = Function::from_env().await?;
    let store = reader(&function.config, &function.bucket_name)?;
    let engine =
        Arc::new(DataFusionEngine::new(store, function.bucket_name.clone(), Resources::from_env()));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let (function, engine) = (function.clone(), engine.clone());
        async move { Ok::<_, Error>(handler::handle(&function, &*engine, event.payload).await) }
    }))
    .await
}
