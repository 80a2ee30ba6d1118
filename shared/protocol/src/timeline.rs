//! When the tasks of a run ran, from what the bucket's lists tell of its working keys: it is kept when they go.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::bucket::ObjectInfo;
use crate::ids::{RunId, StageId};
use crate::key::Key;
use crate::record::{StageTimes, Timeline};

/// The timeline of a run that began at a time.
pub(crate) fn of_run(run: &RunId, created: DateTime<Utc>, objects: &[ObjectInfo]) -> Timeline {
    let mut stages: BTreeMap<u16, StageTimes> = BTreeMap::new();
    let since = |time: DateTime<Utc>| (time - created).num_milliseconds();
    let folder = Key::work_folder(run);
    for object in objects {
        let Some(key) = object.key.strip_prefix(&folder) else { continue };
        let parts: Vec<_> = key.split('/').collect();
        let time = since(object.modified);
        let (what, Some(number)) = (parts[0], parts.get(1).and_then(|n| n.parse().ok())) else {
            continue;
        };
        let stage = || StageTimes { stage: StageId(number), ..StageTimes::default() };
        let stage = stages.entry(number).or_insert_with(stage);
        let task = |place: usize| parts.get(place).and_then(|n| n.parse::<u32>().ok());
        match (what, &parts[2..]) {
            ("sent", []) => stage.sent = Some(time),
            ("out", [_, _]) => {
                if let Some(task) = task(3) {
                    stage.committed.add(task, time);
                    stage.bytes.push(object.size);
                }
            }
            ("attempts", [_, attempt]) => {
                let Some(first) = task(2) else { continue };
                match attempt.strip_suffix(".error") {
                    Some(_) => stage.failed.add(first, time),
                    None => stage.started.add(first, time),
                }
            }
            ("again", [_]) => {
                if let Some(task) = task(2) {
                    stage.again.add(task, time);
                }
            }
            ("dead", [_, _]) => {
                if let Some(task) = task(2) {
                    stage.given_up.add(task, time);
                }
            }
            _ => {}
        }
    }
    Timeline { created, stages: stages.into_values().collect() }
}
