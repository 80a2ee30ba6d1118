//! Taking up what an earlier run has done already.
//!
//! A run that failed or was cancelled keeps its working keys. A new run of the same job takes over
//! the stages whose tasks are all committed there and whose fingerprint is the same: the same
//! fragment over the same versions of the same files. Its plan names the run that holds them, so
//! that nothing is copied and whatever reads the stage reads it where it is.
//!
//! A stage is taken over only with all that it reads: what is done again may come out otherwise (a
//! limit without an order, random numbers), and two readers of it must see the same.

use tracing::info;

use crate::bucket::{Bucket, BucketError};
use crate::context::{Context, find};
use crate::ids::{JobName, RunId};
use crate::job::{JobReadError, JobSpec, Refusal};
use crate::key::Key;
use crate::record::{Layout, Outcome, Plan, Run, Stage, Status};

/// The run that is to be taken up, and its job.
///
/// # Errors
/// There is none of that id, it has not ended, it succeeded, or it was refused.
pub(crate) async fn earlier(bucket: &dyn Bucket, id: &str) -> Result<(Run, JobSpec), JobReadError> {
    let refused = |why: String| Err(Refusal::new(why).into());
    let Ok(id) = RunId::parse(id) else { return refused(format!("'{id}' is not a run id")) };
    let Some(mut run) = find::<Run>(bucket, &Key::Run(&id).to_string()).await? else {
        return refused(format!("there is no run {id} to retry"));
    };
    match find::<Outcome>(bucket, &Key::Outcome(&id).to_string()).await?.map(|o| o.status) {
        None => return refused(format!("run {id} has not ended: cancel it, or wait for its end")),
        Some(Status::Succeeded) => {
            return refused(format!("run {id} succeeded: there is nothing to retry"));
        }
        Some(Status::Failed | Status::Cancelled) => {}
    }
    match run.spec.take() {
        Some(spec) => Ok((run, spec)),
        None => refused(format!("the job of run {id} was refused: mend it and upload it again")),
    }
}

/// The run of a job that ended last without success.
pub(crate) async fn latest_unsuccessful(
    bucket: &dyn Bucket,
    job: &JobName,
) -> Result<Option<RunId>, BucketError> {
    let folder = format!("{}{job}/", Key::RESULTS);
    let run_of = |key: &str| {
        let run = key.strip_prefix(&folder)?.strip_suffix("/_FAILED")?;
        RunId::parse(run).ok() // not of a job in a folder of this one's name
    };
    let objects = bucket.list(&folder).await?;
    let failed = objects.iter().filter_map(|o| Some((o.modified, run_of(&o.key)?)));
    Ok(failed.max_by_key(|(modified, _)| *modified).map(|(_, run)| run))
}

/// Marks the stages of a new plan that an earlier run has done.
pub(crate) async fn take_over(
    cx: &Context,
    plan: &mut Plan,
    earlier: &RunId,
) -> Result<(), BucketError> {
    let Some(old) = cx.find::<Plan>(&Key::Plan(earlier).to_string()).await? else { return Ok(()) };
    let last = plan.stages.len().saturating_sub(1);
    for number in 0..last {
        let stage = &plan.stages[number];
        let same = old.stage(stage.id).filter(|s| s.fingerprint == stage.fingerprint);
        let Some(same) = same.filter(|s| !s.fingerprint.is_empty()) else { continue };
        let home = old.home(same);
        let has_inputs = plan.inputs(stage).all(|input| input.reused.is_some());
        if has_inputs && is_whole(cx, home, same).await? {
            info!(run = %plan.run, stage = %stage.id, from = %home, "stage taken over");
            plan.stages[number].reused = Some(home.clone());
        }
    }
    Ok(())
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
