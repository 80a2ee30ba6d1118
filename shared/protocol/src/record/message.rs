use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{JobName, RunId, StageId, TaskId};

/// A message of the task queue: it names a task, or several tiny ones, and carries no state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    pub run: RunId,
    pub stage: StageId,
    /// The first of its tasks.
    pub task: TaskId,
    /// How many tasks follow each other from there; all are of one group.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub tasks: u32,
}

impl TaskMessage {
    /// The tasks that the message names.
    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> + use<> {
        (self.task.0..self.task.0.saturating_add(self.tasks)).map(TaskId)
    }
}

/// A message of the watch queue: one for each run, from before its first record until it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchMessage {
    /// The run to watch.
    pub watch: RunId,
    pub job: JobName,
    pub sent: DateTime<Utc>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(tasks: &u32) -> bool {
    *tasks == 1
}
