//! Every environment variable that a function reads.

use tidemill_protocol::WorkerKind;

/// The bucket that a deployment works in.
pub const BUCKET: &str = "TIDEMILL_BUCKET";

/// The URL of the task queue: the planner and the worker send to it.
pub const TASK_QUEUE_URL: &str = "TIDEMILL_TASK_QUEUE_URL";

/// The URL of the queue of tasks for large workers.
pub const LARGE_TASK_QUEUE_URL: &str = "TIDEMILL_LARGE_TASK_QUEUE_URL";

/// The URL of the queue of tasks for Python workers.
pub const PYTHON_TASK_QUEUE_URL: &str = "TIDEMILL_PYTHON_TASK_QUEUE_URL";

/// The URL of the queue of tasks for large Python workers.
pub const LARGE_PYTHON_TASK_QUEUE_URL: &str = "TIDEMILL_LARGE_PYTHON_TASK_QUEUE_URL";

/// The URL of the queue of tasks that call functions of Python within statements.
pub const PYTHON_SQL_TASK_QUEUE_URL: &str = "TIDEMILL_PYTHON_SQL_TASK_QUEUE_URL";

/// The variable with the URL of the queue of tasks for a kind of worker.
pub fn task_queue_url(kind: WorkerKind) -> &'static str {
    match kind {
        WorkerKind::Normal => TASK_QUEUE_URL,
        WorkerKind::Large => LARGE_TASK_QUEUE_URL,
        WorkerKind::Python => PYTHON_TASK_QUEUE_URL,
        WorkerKind::LargePython => LARGE_PYTHON_TASK_QUEUE_URL,
        WorkerKind::PythonSql => PYTHON_SQL_TASK_QUEUE_URL,
    }
}

/// The URL of the watch queue.
pub const WATCH_QUEUE_URL: &str = "TIDEMILL_WATCH_QUEUE_URL";

/// Which kind of worker the function is, by its name; a normal one, if nothing is said.
pub const WORKER_KIND: &str = "TIDEMILL_WORKER_KIND";

/// The interpreter that calls of Python are made with.
pub const PYTHON: &str = "TIDEMILL_PYTHON";

/// Memory of a worker in MiB: what a budget is counted by.
pub const WORKER_MEMORY: &str = "TIDEMILL_WORKER_MEMORY";

/// Memory of a large worker in MiB.
pub const LARGE_WORKER_MEMORY: &str = "TIDEMILL_LARGE_WORKER_MEMORY";

/// Memory of a Python worker in MiB.
pub const PYTHON_WORKER_MEMORY: &str = "TIDEMILL_PYTHON_WORKER_MEMORY";

/// Memory of a large Python worker in MiB.
pub const LARGE_PYTHON_WORKER_MEMORY: &str = "TIDEMILL_LARGE_PYTHON_WORKER_MEMORY";

/// Memory in MiB of a worker for statements that call functions of Python.
pub const PYTHON_SQL_WORKER_MEMORY: &str = "TIDEMILL_PYTHON_SQL_WORKER_MEMORY";

/// The most workers at once.
pub const WORKER_CONCURRENCY: &str = "TIDEMILL_WORKER_CONCURRENCY";

/// Pollers of the task queue that are always there, as the template's parameter says.
pub const PROVISIONED_POLLERS: &str = "TIDEMILL_PROVISIONED_POLLERS";

/// Seconds after which a run ends whose job does not say.
pub const DEADLINE: &str = "TIDEMILL_DEADLINE";

/// Dollars that a run's workers may take whose job does not say.
pub const MAX_COST_USD: &str = "TIDEMILL_MAX_COST_USD";

/// The URL of the queue of storage events: the planner keeps its messages hidden.
pub const EVENTS_QUEUE_URL: &str = "TIDEMILL_EVENTS_QUEUE_URL";

/// The function's memory in MiB; set by Lambda.
pub const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// The name of the function; set by Lambda.
pub const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The folder of the function's own files; set by Lambda.
pub const TASK_ROOT: &str = "LAMBDA_TASK_ROOT";

/// The log stream of the process; set by Lambda.
pub const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// The folder of the buckets, where the endpoint is an emulator on the same machine.
pub const LOCAL_FOLDER: &str = "TIDEMILL_LOCAL_FOLDER";

/// How many workers run at once, where the endpoint is an emulator.
pub const LOCAL_WORKERS: &str = "TIDEMILL_WORKERS";

/// Another endpoint than that of AWS; read by the SDKs too.
pub const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";

/// Which log lines are written, e.g. `info` or `tidemill_worker=debug`.
pub const LOG: &str = "RUST_LOG";

/// A variable that a function cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingVariable(pub &'static str);

/// Reads a variable that must be there.
///
/// # Errors
/// It is missing or empty.
pub fn required(name: &'static str) -> Result<String, MissingVariable> {
    optional(name).ok_or(MissingVariable(name))
}

/// Reads a variable that may be missing.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_an_error_that_names_it() {
        let error = required("TIDEMILL_NO_SUCH_VARIABLE").expect_err("missing");
        assert!(error.to_string().contains("TIDEMILL_NO_SUCH_VARIABLE"));
    }
}
