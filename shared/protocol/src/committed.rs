//! What the tasks of a stage have committed.
//!
//! A stage of up to 64 tasks is read object by object. In a larger one whoever sees a group whole
//! writes down what its tasks committed, so that whoever opens the next stage reads one record a
//! group, and not a footer a task.

use std::collections::HashMap;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::bucket::{BucketError, ObjectInfo};
use crate::context::Context;
use crate::ids::{RunId, StageId, TaskId};
use crate::key::Key;
use crate::record::{Commit, Footer, FooterError, GroupIndex, ObjectIndex, Output, Plan, Stage};

/// How many objects are read at once.
const PARALLEL_READS: usize = 32;

/// The commit of one task.
#[derive(Debug, Clone)]
pub(crate) enum Committed {
    Exchange(Footer),
    Result(Commit),
}

/// Commits that need not be read, by their keys.
pub(crate) type Known = HashMap<String, Committed>;

/// What all tasks of a stage that is done have committed.
pub(crate) async fn of_stage(
    cx: &Context,
    plan: &Plan,
    stage: &Stage,
) -> Result<GroupIndex, BucketError> {
    let run = plan.home(stage);
    let objects = cx.bucket.list(&Key::stage_out_folder(run, stage.id)).await?;
    if objects.len() <= TaskId::GROUP_TASKS as usize {
        return of_objects(cx, stage, objects, &Known::new()).await;
    }
    let marks = group_marks(cx, run, stage.id).await?;
    let mut all = GroupIndex::default();
    let mut groups = stream::iter(marks)
        .map(|mark| async move { cx.read::<GroupIndex>(&mark.key).await })
        .buffered(PARALLEL_READS);
    while let Some(group) = groups.try_next().await? {
        all.append(group);
    }
    Ok(all)
}

/// The markers of a stage's groups, in their order.
pub(crate) async fn group_marks(
    cx: &Context,
    run: &RunId,
    stage: StageId,
) -> Result<Vec<ObjectInfo>, BucketError> {
    let all = Key::Done(run, stage).to_string();
    let mut marks = cx.bucket.list(&Key::done_folder(run, stage)).await?;
    marks.retain(|m| m.key != all);
    Ok(marks)
}

/// What these objects commit.
pub(crate) async fn of_objects(
    cx: &Context,
    stage: &Stage,
    objects: Vec<ObjectInfo>,
    known: &Known,
) -> Result<GroupIndex, BucketError> {
    let mut found = stream::iter(objects)
        .map(|object| async move {
            let committed = match known.get(&object.key) {
                Some(known) => known.clone(),
                None => read(cx, stage, &object.key).await?,
            };
            Ok::<_, BucketError>((object.key, committed))
        })
        .buffered(PARALLEL_READS);
    let mut index = GroupIndex::default();
    while let Some((key, committed)) = found.try_next().await? {
        match committed {
            Committed::Exchange(footer) => index.objects.push(ObjectIndex { key, footer }),
            Committed::Result(commit) => index.commits.push(commit),
        }
    }
    Ok(index)
}

async fn read(cx: &Context, stage: &Stage, key: &str) -> Result<Committed, BucketError> {
    Ok(match stage.output {
        Output::Exchange { .. } => Committed::Exchange(read_footer(cx, key).await?),
        Output::Result => Committed::Result(cx.read(key).await?),
    })
}

async fn read_footer(cx: &Context, key: &str) -> Result<Footer, BucketError> {
    let damaged = |e: FooterError| BucketError::Io {
        action: "reading the footer of",
        key: key.to_owned(),
        source: e.into(),
    };
    let tail = cx.bucket.get_tail(key, Footer::LIKELY_BYTES).await?;
    match Footer::decode(&tail.bytes, tail.info.size) {
        Err(FooterError::Longer(bytes)) => {
            let tail = cx.bucket.get_tail(key, bytes).await?;
            Footer::decode(&tail.bytes, tail.info.size).map_err(damaged)
        }
        decoded => decoded.map_err(damaged),
    }
}
