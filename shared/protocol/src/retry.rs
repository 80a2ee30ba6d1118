//! Taking up what an earlier run has done already.
//!
//! A run that failed or was cancelled keeps its working keys. A new run of the same job takes over
//! the stages whose tasks are all committed there and whose fingerprint is the same: the same
//! fragment over the same versions of the same files. Its plan names the run that holds them, so
//! that nothing is copied and whatever reads the stage reads it where it is.

use tracing::info;

use crate::bucket::{Bucket, BucketError};
use crate::context::{Context, find};
use crate::ids::{JobName, RunId};
use crate::job::Refusal;
use crate::key::Key;
use crate::record::{Layout, Outcome, Plan, Run, Stage, Status};

/// The run that is to be taken up.
///
/// # Errors
/// There is none of that id, it has not ended, it succeeded, or it was refused.
pub(crate) async fn earlier(
    bucket: &dyn Bucket,
    id: &str,
) -> Result<Result<Run, Refusal>, BucketError> {
    let refused = |why: String| Ok(Err(Refusal(why)));
    let Ok(id) = RunId::parse(id) else { return refused(format!("'{id}' is not a run id")) };
    let Some(run) = find::<Run>(bucket, &Key::Run(&id).to_string()).await? else {
        return refused(format!("there is no run {id} to retry"));
    };
    match find::<Outcome>(bucket, &Key::Outcome(&id).to_string()).await?.map(|o| o.status) {
        None => return refused(format!("run {id} has not ended: cancel it, or wait for its end")),
        Some(Status::Succeeded) => {
            return refused(format!("run {id} succeeded: there is nothing to retry"));
        }
        Some(Status::Failed | Status::Cancelled) => {}
    }
    if run.spec.is_none() {
        return refused(format!("the job of run {id} was refused: mend it and upload it again"));
    }
    Ok(Ok(run))
}

/// The latest run of a job that ended without success, before another one.
pub(crate) async fn latest_unsuccessful(
    bucket: &dyn Bucket,
    job: &JobName,
    before: &RunId,
) -> Result<Option<RunId>, BucketError> {
    let objects = bucket.list(&format!("{}{}", Key::RUNS, RunId::prefix(job))).await?;
    let mut ids: Vec<_> = objects
        .iter()
        .filter_map(|o| o.key.strip_prefix(Key::RUNS)?.strip_suffix("/outcome.json"))
        .filter(|id| *id < before.as_str())
        .filter_map(|id| RunId::parse(id).ok())
        .collect();
    ids.sort_by(|a, b| b.as_str().cmp(a.as_str()));
    for id in ids {
        let outcome: Option<Outcome> = find(bucket, &Key::Outcome(&id).to_string()).await?;
        if outcome.is_some_and(|o| o.job == *job && o.status != Status::Succeeded) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Marks the stages of a new plan that an earlier run has done, and those that only they read.
pub(crate) async fn take_over(
    cx: &Context,
    plan: &mut Plan,
    earlier: &RunId,
) -> Result<(), BucketError> {
    let Some(old) = cx.find::<Plan>(&Key::Plan(earlier).to_string()).await? else { return Ok(()) };
    let last = plan.stages.len().saturating_sub(1);
    for number in (0..last).rev() {
        let stage = &plan.stages[number];
        let home = match done_before(cx, &old, stage).await? {
            Some(home) => Some(home.clone()),
            None => plan.readers(stage.id).all(|r| r.reused.is_some()).then(|| earlier.clone()),
        };
        if let Some(home) = &home {
            info!(run = %plan.run, stage = %stage.id, from = %home, "stage taken over");
        }
        plan.stages[number].reused = home;
    }
    Ok(())
}

/// The run that holds what the tasks of a stage commit, if an earlier plan has the same one.
async fn done_before<'a>(
    cx: &Context,
    old: &'a Plan,
    stage: &Stage,
) -> Result<Option<&'a RunId>, BucketError> {
    let same = old.stage(stage.id).filter(|s| s.fingerprint == stage.fingerprint);
    let Some(same) = same.filter(|s| !s.fingerprint.is_empty()) else { return Ok(None) };
    let home = old.home(same);
    Ok(is_whole(cx, home, same).await?.then_some(home))
}

/// Whether all that a stage committed is still there: the bucket's lifecycle removes it some day.
async fn is_whole(cx: &Context, run: &RunId, stage: &Stage) -> Result<bool, BucketError> {
    if !cx.exists(&Key::Done(run, stage.id).to_string()).await? {
        return Ok(false);
    }
    let key = Key::Layout(run, stage.id).to_string();
    let Some(layout) = cx.find::<Layout>(&key).await? else { return Ok(false) };
    let objects = cx.bucket.list(&Key::stage_out_folder(run, stage.id)).await?;
    Ok(objects.len() == layout.tasks.len())
}
