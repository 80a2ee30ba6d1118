//! The worker of statements that call functions of Python: the engine of the worker, beside children of the
//! Python worker.

use std::ffi::OsString;
use std::sync::Arc;

use lambda_runtime::Error;
use tidemill_aws::{Deployment, reader, serve_tasks, telemetry};
use tidemill_compute::{DataFusionEngine, Resources};

/// The engine's operators have this part of what they have in a worker without children.
const ENGINE_MEMORY_DIVISOR: usize = 2;

/// Serves the function until Lambda ends it. A managed runtime that has this program as its wrapper says
/// which interpreter it would have started; else a variable does.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run(wrapped: Option<OsString>) -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let store = reader(&deployment.config, &deployment.bucket_name)?;
    let all = Resources::from_env();
    let resources = Resources { memory: all.memory / ENGINE_MEMORY_DIVISOR, ..all };
    let children = (resources.cores / resources.workers).max(1);
    let functions =
        tidemill_python::functions(wrapped, &deployment, resources.memory as u64, children)?;
    let engine = DataFusionEngine::new(store, deployment.bucket_name.clone(), resources)
        .with_functions(Arc::new(functions));
    serve_tasks(deployment, Arc::new(engine)).await
}
