use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::{Actual, Deviation, Estimated};
use crate::ids::{JobName, RunId, StageId};
use crate::record::{ResultFile, Usage};

/// `outcome.json`, and its copies `_SUCCESS` and `_FAILED`: how a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    pub run: RunId,
    pub job: JobName,
    pub status: Status,
    /// One sentence: what failed, on which object, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The table folder that the files are in, if not the result's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    pub files: Vec<ResultFile>,
    pub rows: u64,
    pub bytes: u64,
    /// From the upload to the outcome.
    pub seconds: f64,
    pub tasks: u32,
    #[serde(default)]
    pub usage: Usage,
    /// Lines that were set aside, where the job says so; in `results/<job>/<run>/rejects/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_rows: Option<u64>,
    /// What the run took. Where the job has a budget, attempts that did not commit are in its price.
    /// Earlier manifests say `taken`.
    #[serde(default, alias = "taken", skip_serializing_if = "Option::is_none")]
    pub actual: Option<Actual>,
    /// What it was expected to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimated>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_errors: Option<Deviation>,
    pub stages: Vec<StageSummary>,
    pub ended: DateTime<Utc>,
}

/// How a run ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Succeeded,
    Failed,
    Cancelled,
}

impl Status {
    /// As records and people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a stage came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageSummary {
    pub stage: StageId,
    pub operators: String,
    /// The earlier run whose work it is; what that cost is not counted here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<RunId>,
    pub tasks: u32,
    /// Rows and bytes that its tasks wrote.
    #[serde(default)]
    pub rows: u64,
    pub bytes: u64,
    #[serde(default)]
    pub usage: Usage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_manifest_is_read() {
        let earlier = r#"{
            "run": "r", "job": "top", "status": "succeeded", "files": [], "rows": 0, "bytes": 0,
            "seconds": 0.75, "tasks": 9, "stages": [], "ended": "2026-01-02T03:04:05Z",
            "taken": { "tasks": 9, "table_bytes": 1, "exchange_bytes": 2, "requests": 94,
                       "gb_seconds": 8.4, "seconds": 0.75, "cost_usd": 0.000319 }
        }"#;
        let outcome: Outcome = serde_json::from_str(earlier).expect("a manifest");
        assert_eq!(outcome.actual.map(|actual| actual.requests), Some(94));
        let now = serde_json::to_value(&outcome).expect("JSON");
        assert_eq!((now["actual"]["tasks"].as_u64(), now.get("taken")), (Some(9), None));
    }
}
