//! The HTTP API: what runs do and have done, their results, and new runs.
//!
//! [`ROUTES`] says which requests there are. They are answered by [`Api`], which knows the bucket and nothing else,
//! so that the same answers come from the function behind API Gateway and from a page on somebody's own machine.

mod answers;
mod api;
mod lambda;
pub mod openapi;
mod pipelines;
mod problem;
mod request;
mod results;
mod routes;
mod runs;
mod submit;
mod tables;
mod uploads;
mod waiting;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidemill_aws::{bucket_from_env, telemetry};

pub use api::Api;
pub use request::{Request, Response};
pub use routes::{Operation, ROUTES, Route, find};

/// Serves the function until Lambda ends it.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    telemetry::init();
    let (bucket, endpoint) = bucket_from_env().await?;
    let api = Api::new(bucket, endpoint);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| {
        let api = api.clone();
        async move { Ok::<_, Error>(lambda::handle(&api, event.payload).await) }
    }))
    .await
}
