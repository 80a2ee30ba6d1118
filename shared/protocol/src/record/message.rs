use serde::{Deserialize, Serialize};

use crate::ids::{RunId, StageId, TaskId};

/// A message of the task queue: it names a task and carries no state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    pub run: RunId,
    pub stage: StageId,
    pub task: TaskId,
}
