use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tidemill_protocol::function::Function;
use tidemill_protocol::{EngineError, RunId};

use super::Callables;

/// The seam to what executes functions that are not the engine's.
#[async_trait]
pub trait FunctionCaller: fmt::Debug + Send + Sync {
    /// Calls a function over rows. `types` is a stream of Arrow IPC without batches, whose schema has the field
    /// `returns` of the type that is to come back; `rows` one with one batch, whose columns are the arguments, or
    /// of an aggregate one list of them for each group.
    ///
    /// Returns: a stream of one batch with that column.
    ///
    /// # Errors
    /// A sentence, if the function cannot be called, raises, or returns something else.
    async fn call(
        &self,
        run: &RunId,
        name: &str,
        function: &Function,
        types: Bytes,
        rows: Bytes,
    ) -> Result<Bytes, EngineError>;
}

/// What a task has of the functions that its plan calls.
#[derive(Debug)]
pub(crate) struct Callers {
    pub(crate) run: RunId,
    pub(crate) functions: Callables,
    /// Nothing where no functions are executed.
    pub(crate) caller: Option<Arc<dyn FunctionCaller>>,
}

/// Why a function gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallFailed {
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    OutOfMemory(String),
    #[error("{0}")]
    Transient(String),
}

impl From<EngineError> for CallFailed {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::OutOfMemory(what) => Self::OutOfMemory(what),
            EngineError::Transient { what, source } => Self::Transient(format!("{what}: {source}")),
            EngineError::Refused(_)
            | EngineError::Unfinished(_)
            | EngineError::InputChanged { .. }
            | EngineError::InputMissing { .. } => Self::Refused(error.to_string()),
        }
    }
}

impl From<CallFailed> for EngineError {
    fn from(failed: CallFailed) -> Self {
        match failed {
            CallFailed::Refused(what) => Self::Refused(what),
            CallFailed::OutOfMemory(what) => Self::OutOfMemory(what),
            CallFailed::Transient(what) => {
                Self::Transient { what: "a function cannot be called".into(), source: what.into() }
            }
        }
    }
}
