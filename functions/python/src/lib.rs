//! The Python worker: makes calls of Python functions in CPython, supervised: a process that runs one call
//! after another and is ended when a call takes too long, takes too much memory, or is no longer wanted.
//!
//! A [`Child`] gets bytes and gives bytes: it has no credentials, and knows nothing of buckets and queues.
//! Whatever it does, a call ends: with an [`Answer`], or because the child [`Died`].

mod answer;
mod caller;
mod child;
mod files;
mod frame;
mod functions;
mod interpreter;
mod memory;
mod objects;
mod output;
mod pool;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use lambda_runtime::Error;
use tidemill_aws::{Deployment, env, serve_tasks, telemetry};
use tidemill_protocol::calls::CallEngine;
use tidemill_protocol::{Key, SystemClock};

pub use answer::{Answer, Died, Outcome, Raised, Reason};
pub use caller::PythonCaller;
pub use child::{Call, Child, Limits};
pub use functions::PythonFunctions;
pub use interpreter::{Interpreter, StartError};
pub use objects::Objects;
pub use output::Captured;

/// Memory of a function that does not say.
const MEMORY_MIB: u64 = 1769;

/// Of the function's memory, what this process needs for what it passes on.
const OWN_MIB: u64 = 128;

/// What a child may have of the rest, in hundredths: it is looked at ten times a second, and grows in
/// between.
const CHILD_PERCENT: u64 = 90;

/// Serves the function until Lambda ends it. A managed runtime that has this program as its wrapper says
/// which interpreter it would have started; else a variable does.
///
/// # Errors
/// A variable is missing, or the Runtime API is gone.
pub async fn run(wrapped: Option<OsString>) -> Result<(), Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await?;
    let memory_bytes = child_bytes(function_bytes());
    let caller = PythonCaller::new(objects(&deployment)?, interpreter(wrapped), memory_bytes);
    let engine = CallEngine::new(deployment.bucket.clone(), Arc::new(SystemClock), caller);
    serve_tasks(deployment, Arc::new(engine)).await
}

/// What runs functions of statements beside an engine that has a part of the function's memory, as `run` has it.
///
/// # Errors
/// The temporary folder cannot be written.
pub fn functions(
    wrapped: Option<OsString>,
    deployment: &Deployment,
    engine_bytes: u64,
    children: usize,
) -> std::io::Result<PythonFunctions> {
    let left = function_bytes().saturating_sub(engine_bytes) / children.max(1) as u64;
    let (objects, interpreter) = (objects(deployment)?, interpreter(wrapped));
    Ok(PythonFunctions::new(objects, interpreter, children, child_bytes(left)))
}

fn interpreter(wrapped: Option<OsString>) -> Interpreter {
    let program = wrapped.or_else(|| env::optional(env::PYTHON).map(OsString::from));
    let program = PathBuf::from(program.unwrap_or_else(|| "python3".into()));
    let root = env::optional(env::TASK_ROOT).unwrap_or_else(|| ".".into());
    Interpreter::of_runtime(program, root.into())
}

fn objects(deployment: &Deployment) -> std::io::Result<Objects> {
    let folder = shared_folder(&deployment.bucket_name)?;
    // on the emulator's machine beside its buckets, which are its user's
    let unpacked = match env::optional(env::LOCAL_FOLDER) {
        Some(buckets) => PathBuf::from(buckets).join(".tidemill").join("unpacked"),
        None => std::env::temp_dir().join("tidemill-unpacked"),
    };
    Ok(Objects::new(deployment.bucket.clone(), folder, unpacked))
}

/// What the function has beside this process itself.
fn function_bytes() -> u64 {
    let mib = env::optional(env::MEMORY_SIZE).and_then(|mib| mib.parse().ok());
    mib.unwrap_or(MEMORY_MIB).saturating_sub(OWN_MIB) << 20
}

fn child_bytes(share: u64) -> u64 {
    share / 100 * CHILD_PERCENT
}

/// Where shared objects lie. On the emulator's machine that is where the bucket has them.
fn shared_folder(bucket: &str) -> std::io::Result<PathBuf> {
    if let Some(buckets) = env::optional(env::LOCAL_FOLDER) {
        return Ok([&buckets, bucket, Key::SHARED].iter().collect());
    }
    let folder = std::env::temp_dir().join("tidemill-shared");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
