use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::StageId;

/// `tasks.json`: when the tasks of a run ran. Times are milliseconds since `created`; a list of tasks and one of
/// their times belong together, so that a hundred thousand tasks are a few megabytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    pub created: DateTime<Utc>,
    /// Those of which something is known.
    pub stages: Vec<StageTimes>,
    /// Dollars that the attempts have taken, of a run that has not succeeded (yet): the outcome says it of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<f64>,
    /// What the last attempts failed of that left an error, at most [`Timeline::ERRORS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<TaskError>,
}

impl Timeline {
    /// So many errors are kept.
    pub const ERRORS_MAX: usize = 20;
}

/// What an attempt at a task failed of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskError {
    pub stage: StageId,
    pub task: u32,
    pub at: i64,
    pub error: String,
    /// Where the attempt's log is.
    pub log: String,
    /// Its last lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lines: String,
}

/// The tasks of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StageTimes {
    pub stage: StageId,
    /// When its tasks had been sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<i64>,
    /// Attempts that began, by the first task of their message.
    pub started: TaskTimes,
    /// Attempts that left an error, by the same.
    #[serde(skip_serializing_if = "TaskTimes::is_empty")]
    pub failed: TaskTimes,
    /// Commits.
    pub committed: TaskTimes,
    /// Bytes of the object of each commit: of a stage that others read, what it gave them.
    pub bytes: Vec<u64>,
    /// Tasks that were given to a second worker, as their first one took long.
    #[serde(skip_serializing_if = "TaskTimes::is_empty")]
    pub again: TaskTimes,
    /// Tasks whose message was given up, or sent on to a larger worker.
    #[serde(skip_serializing_if = "TaskTimes::is_empty")]
    pub given_up: TaskTimes,
}

/// Something that happened to tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskTimes {
    pub task: Vec<u32>,
    pub at: Vec<i64>,
}

impl TaskTimes {
    pub(crate) fn add(&mut self, task: u32, at: i64) {
        self.task.push(task);
        self.at.push(at);
    }

    /// Whether it never happened.
    pub fn is_empty(&self) -> bool {
        self.task.is_empty()
    }
}
