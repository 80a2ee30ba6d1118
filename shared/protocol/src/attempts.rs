//! When the attempts of a stage started and ended, as far as the bucket's lists tell: one request
//! for a thousand of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::bucket::{BucketError, ObjectInfo};
use crate::context::Context;
use crate::ids::TaskId;
use crate::key::Key;
use crate::record::{Layout, TaskMessage};

/// An attempt at the tasks of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptTimes {
    /// The message's first task.
    pub(crate) first: TaskId,
    pub(crate) started: DateTime<Utc>,
    /// If it left an error.
    pub(crate) failed: Option<DateTime<Utc>>,
}

/// All attempts of a stage.
pub(crate) async fn of_stage(
    cx: &Context,
    layout: &Layout,
) -> Result<Vec<AttemptTimes>, BucketError> {
    let folder = Key::stage_attempts_folder(&layout.run, layout.stage);
    let objects = cx.bucket.list(&folder).await?;
    Ok(of_objects(&folder, &objects))
}

/// The attempts that objects in a stage's folder tell of.
pub(crate) fn of_objects(folder: &str, objects: &[ObjectInfo]) -> Vec<AttemptTimes> {
    let errors: HashMap<&str, DateTime<Utc>> =
        objects.iter().filter_map(|o| Some((o.key.strip_suffix(".error")?, o.modified))).collect();
    let times = |object: &ObjectInfo| {
        let (task, attempt) = object.key.strip_prefix(folder)?.split_once('/')?;
        if attempt.ends_with(".error") {
            return None;
        }
        let failed = errors.get(object.key.as_str()).copied();
        Some(AttemptTimes { first: TaskId(task.parse().ok()?), started: object.modified, failed })
    };
    objects.iter().filter_map(times).collect()
}

/// When tasks were committed, by their keys.
pub(crate) fn commit_times(objects: &[ObjectInfo]) -> HashMap<&str, DateTime<Utc>> {
    objects.iter().map(|o| (o.key.as_str(), o.modified)).collect()
}

/// When the last task of a message was committed, if all are.
pub(crate) fn end_of(
    message: &TaskMessage,
    committed: &HashMap<&str, DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let key = |task| Key::Out(&message.run, message.stage, task).to_string();
    let mut last = None;
    for task in message.task_ids() {
        last = last.max(Some(*committed.get(key(task).as_str())?));
    }
    last
}
