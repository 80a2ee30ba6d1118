//! The part of a plan that only the engine reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::stage::Fragment;
use crate::table::Table;
use crate::write::{Target, WriteRequest};

/// What the stages of a plan execute, over which tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EnginePlan {
    pub(crate) sql: String,
    pub(crate) now: DateTime<Utc>,
    pub(crate) tables: Vec<Table>,
    /// The table that the rows are written into, if they are not the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) write: Option<Write>,
    /// By stage.
    pub(crate) fragments: Vec<Fragment>,
}

/// What a statement asks to be written, and how the table takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) request: WriteRequest,
    pub(crate) target: Target,
}

impl EnginePlan {
    /// As a plan holds it.
    pub(crate) fn stored(&self) -> Result<serde_json::Value, Failure> {
        serde_json::to_value(self)
            .map_err(|e| Failure::Refused(format!("the plan cannot be stored: {e}")))
    }
}
