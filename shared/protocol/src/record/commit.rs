use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::AttemptId;
use crate::record::Usage;

/// The commit object of a task of the last stage: the files it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    pub attempt: AttemptId,
    pub files: Vec<ResultFile>,
    #[serde(default)]
    pub usage: Usage,
}

/// A file of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResultFile {
    pub key: String,
    /// Where it lies until it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    pub rows: u64,
    pub bytes: u64,
}

/// An attempt's start record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptStart {
    pub started: DateTime<Utc>,
    /// Which delivery of the message it is, from 1.
    pub delivery: u32,
    /// The message's id.
    #[serde(default)]
    pub message: String,
    /// Where its log is.
    pub log: String,
}

/// What an attempt that may be repeated failed of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptError {
    pub failed: DateTime<Utc>,
    pub error: String,
    /// The last lines of its log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lines: String,
}
