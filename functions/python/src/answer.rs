use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::calls::ValueFormat;

use crate::output::Captured;

/// What became of a call that its child has survived.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Outcome,
    pub stdout: Captured,
    pub stderr: Captured,
    /// From when the call was sent to when it was answered.
    pub took: Duration,
    /// The most memory that the child and its children were seen to have, looked at ten times a second.
    pub peak_bytes: u64,
}

/// A value or an exception.
#[derive(Debug)]
pub enum Outcome {
    Returned(ValueFormat, Bytes),
    Raised(Raised),
    /// The initializer raised, so the call was not made.
    NotReady(Raised),
    /// It took longer than this beside others, and was cancelled.
    Late(Duration),
}

/// An exception, as text and, if it can be, as itself.
#[derive(Debug)]
pub struct Raised {
    /// With its module: `builtins.ValueError`.
    pub type_name: String,
    pub message: String,
    /// As Python prints it.
    pub traceback: String,
    /// Nothing, if it cannot be pickled and read again.
    pub pickled: Option<Bytes>,
    /// The function or its arguments could not be read, so the call was not made.
    pub unread: bool,
    /// The module that the function needs and that is not there.
    pub missing: Option<String>,
    /// Of a batch, if it is known: the arguments of the row that it raised for.
    pub row: Option<String>,
    /// Nothing was raised, but something else returned than is declared.
    pub wrong: bool,
}

/// The child is gone, and with it the call's answer.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Died {
    pub reason: Reason,
    pub stdout: Captured,
    pub stderr: Captured,
    /// From when the call was sent.
    pub took: Duration,
    /// Of the child and its children.
    pub peak_bytes: u64,
    /// It was the child's first call: none before it can have left anything behind.
    pub is_first: bool,
}

/// Why a child is gone.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("the call took longer than {} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the call took {} MiB of memory, and {} MiB are for it", peak_bytes >> 20, limit_bytes >> 20)]
    OutOfMemory { peak_bytes: u64, limit_bytes: u64 },
    /// By itself: a crash in native code, `os._exit`, a signal from elsewhere.
    #[error("the process of the call ended within it: {0}")]
    Ended(ExitStatus),
    /// It closed the socket that its answer was to come through, or wrote into it.
    #[error("the process of the call broke its connection: {0}")]
    Disconnected(String),
}
