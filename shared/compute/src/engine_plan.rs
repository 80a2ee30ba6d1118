//! The part of a plan that only the engine reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemill_protocol::param::Params;
use tidemill_protocol::record::{Output, Stage, StageIo};
use tidemill_protocol::{StageId, WorkerKind};

use crate::error::Failure;
use crate::functions::Callables;
use crate::stage::Fragment;
use crate::table::Table;
use crate::write::{Target, WriteRequest};

/// What the stages of a plan execute, over which tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EnginePlan {
    pub(crate) sql: String,
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub(crate) params: Params,
    /// Those that the statement calls.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub(crate) functions: Callables,
    pub(crate) now: DateTime<Utc>,
    pub(crate) tables: Vec<Table>,
    /// The table that the rows are written into, if they are not the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) write: Option<Write>,
    /// By stage.
    pub(crate) fragments: Vec<Fragment>,
}

fn is_empty(functions: &Callables) -> bool {
    functions.is_empty()
}

/// What a statement asks to be written, and how the table takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) request: WriteRequest,
    pub(crate) target: Target,
}

impl EnginePlan {
    /// One that executes a statement over no tables, in one task.
    pub(crate) fn of_statement(sql: String, now: DateTime<Utc>) -> Self {
        Self {
            sql,
            params: Params::new(),
            functions: Callables::default(),
            now,
            tables: vec![],
            write: None,
            fragments: vec![Fragment::Sql],
        }
    }

    /// As a plan holds it.
    pub(crate) fn stored(&self) -> Result<serde_json::Value, Failure> {
        serde_json::to_value(self)
            .map_err(|e| Failure::Refused(format!("the plan cannot be stored: {e}")))
    }
}

/// The only stage of a plan that is one task: it plans the SQL itself.
pub(crate) fn single_stage(expected: StageIo, worker: WorkerKind) -> Stage {
    Stage {
        id: StageId(0),
        inputs: vec![],
        worker,
        partitions: 1,
        whole: true,
        scans: true,
        scan_bytes: 0,
        expected,
        splits: None,
        fingerprint: String::new(),
        reused: None,
        output: Output::Result,
        operators: "the whole statement".into(),
    }
}
