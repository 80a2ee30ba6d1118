use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

/// One invocation on its way through a process.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) payload: Bytes,
    /// Milliseconds since 1970.
    pub(super) deadline: i64,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What a function says to an invocation.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Bytes),
    /// The error's JSON.
    Error(Bytes),
}

/// Why an invocation has no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvokeError {
    #[error("the function could not be started")]
    Start(#[source] std::io::Error),
    #[error("the function did not poll for work within {0:?} of its start")]
    Init(Duration),
    #[error("the function was killed at its time-out of {0:?}")]
    Timeout(Duration),
    #[error("the function's process ended: {0}")]
    Crashed(String),
    #[error("the function failed: {0}")]
    Failed(String),
}

impl InvokeError {
    pub(super) fn leaves_process_alive(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}
