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
    let program = wrapped.or_else(|| env::optional(env::PYTHON).map(OsString::from));
    let program = PathBuf::from(program.unwrap_or_else(|| "python3".into()));
    let root = env::optional(env::TASK_ROOT).unwrap_or_else(|| ".".into());
    let interpreter = Interpreter::of_runtime(program, root.into());
    let folder = shared_folder(&deployment.bucket_name)?;
    let mib = env::optional(env::MEMORY_SIZE).and_then(|mib| mib.parse().ok());
    let left = mib.unwrap_or(MEMORY_MIB).saturating_sub(OWN_MIB);
    let memory_bytes = (left << 20) / 100 * CHILD_PERCENT;
    // on the emulator's machine beside its buckets, which are its user's
    let unpacked = match env::optional(env::LOCAL_FOLDER) {
        Some(buckets) => PathBuf::from(buckets).join(".tidemill").join("unpacked"),
        None => std::env::temp_dir().join("tidemill-unpacked"),
    };
    let objects = Objects::new(deployment.bucket.clone(), folder, unpacked);
    let caller = PythonCaller::new(objects, interpreter, memory_bytes);
    let engine = CallEngine::new(deployment.bucket.clone(), Arc::new(SystemClock), caller);
    serve_tasks(deployment, Arc::new(engine)).await
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
