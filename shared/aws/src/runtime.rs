//! How a process starts and ends.

use tidemill_protocol::context::full_text;
use tokio::runtime::{Builder, Runtime};

/// Somebody has to notice that a run was cancelled while what a task makes is written.
const THREADS_MIN: usize = 2;

/// The runtime of a process that may be busy for long when it ends.
///
/// # Errors
/// The machine gives no threads.
pub fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread().worker_threads(cores.max(THREADS_MIN)).enable_all().build()
}

/// How a function's process ends: an error is printed with its causes.
pub fn exit(result: Result<(), lambda_runtime::Error>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", full_text(&*e));
            std::process::ExitCode::FAILURE
        }
    }
}
