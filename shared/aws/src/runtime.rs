use tokio::runtime::{Builder, Runtime};

/// Threads beside those that compute: somebody has to notice that a run was cancelled while an
/// operator works on a batch for long.
const SPARE: usize = 2;

/// The runtime of a process that computes.
///
/// # Errors
/// The machine gives no threads.
pub fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread().worker_threads(cores + SPARE).enable_all().build()
}
