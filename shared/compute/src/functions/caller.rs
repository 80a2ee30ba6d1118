use std::sync::Arc;

use tidemill_protocol::function::FunctionCaller;
use tidemill_protocol::{EngineError, RunId};

use super::Callables;

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
