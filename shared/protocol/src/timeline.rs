//! When the tasks of a run ran, from what the bucket's lists tell of its working keys: it is kept when they go.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;

use crate::bucket::{Bucket, BucketError, ObjectInfo};
use crate::context::find;
use crate::cost::{Workers, spent};
use crate::ids::{RunId, StageId};
use crate::key::Key;
use crate::record::{AttemptError, AttemptStart, Plan, Run, StageTimes, TaskError, Timeline};

/// When the tasks of a run ran, or run: what was kept of it, or what its working keys tell. `None` if there is no
/// such run.
///
/// # Errors
/// The bucket cannot be read.
pub async fn timeline(
    bucket: &dyn Bucket,
    run: &RunId,
    now: DateTime<Utc>,
) -> Result<Option<Timeline>, BucketError> {
    if let Some(kept) = find::<Timeline>(bucket, &Key::Tasks(run).to_string()).await? {
        return Ok(Some(kept));
    }
    let Some(asked) = find::<Run>(bucket, &Key::Run(run).to_string()).await? else {
        return Ok(None);
    };
    let objects = bucket.list(&Key::work_folder(run)).await?;
    unfinished(bucket, run, asked.created, &objects, now).await.map(Some)
}

/// The timeline of a run that succeeded, with what attempts failed of on the way.
pub(crate) async fn succeeded(
    bucket: &dyn Bucket,
    run: &RunId,
    created: DateTime<Utc>,
    objects: &[ObjectInfo],
) -> Result<Timeline, BucketError> {
    let errors = errors(bucket, run, created, objects).await?;
    Ok(Timeline { errors, ..of_run(run, created, objects) })
}

/// The timeline of a run that has not succeeded, with what it has taken and failed of.
pub(crate) async fn unfinished(
    bucket: &dyn Bucket,
    run: &RunId,
    created: DateTime<Utc>,
    objects: &[ObjectInfo],
    now: DateTime<Utc>,
) -> Result<Timeline, BucketError> {
    let mut timeline = of_run(run, created, objects);
    if let Some(plan) = find::<Plan>(bucket, &Key::Plan(run).to_string()).await? {
        let workers = plan.estimate.as_ref().map_or_else(Workers::default, |e| e.workers);
        timeline.spent_usd = Some(spent(bucket, &plan, &workers, objects, now).await?);
    }
    timeline.errors = errors(bucket, run, created, objects).await?;
    Ok(timeline)
}

/// What the last attempts of a run failed of.
async fn errors(
    bucket: &dyn Bucket,
    run: &RunId,
    created: DateTime<Utc>,
    objects: &[ObjectInfo],
) -> Result<Vec<TaskError>, BucketError> {
    let folder = format!("{}attempts/", Key::work_folder(run));
    let mut failed: Vec<_> = objects
        .iter()
        .filter_map(|o| Some((o.modified, o.key.strip_suffix(".error")?)))
        .filter(|(_, attempt)| attempt.starts_with(&folder))
        .collect();
    failed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    failed.truncate(Timeline::ERRORS_MAX);
    let last = failed.into_iter().map(|(at, attempt)| {
        let at = (at - created).num_milliseconds();
        error(bucket, attempt, &attempt[folder.len()..], at)
    });
    let last = try_join_all(last.collect::<Vec<_>>()).await?;
    Ok(last.into_iter().flatten().collect())
}

/// What an attempt failed of, by its key, of which the last part has stage and task.
async fn error(
    bucket: &dyn Bucket,
    attempt: &str,
    place: &str,
    at: i64,
) -> Result<Option<TaskError>, BucketError> {
    let mut parts = place.split('/');
    let (Some(stage), Some(task)) = (
        parts.next().and_then(|stage| stage.parse().ok()),
        parts.next().and_then(|task| task.parse().ok()),
    ) else {
        return Ok(None);
    };
    let failed = format!("{attempt}.error");
    let found = find::<AttemptError>(bucket, &failed);
    let (found, start) = futures::try_join!(found, find::<AttemptStart>(bucket, attempt))?;
    let log = start.map(|start| start.log).unwrap_or_default();
    Ok(found.map(|AttemptError { error, lines, .. }| TaskError {
        stage: StageId(stage),
        task,
        at,
        error,
        log,
        lines,
    }))
}

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
    let stages = stages.into_values().collect();
    Timeline { created, stages, spent_usd: None, errors: vec![] }
}
