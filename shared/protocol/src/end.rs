//! How a run ends.
//!
//! `outcome.json` is created once and is the only decision. All that follows are copies that
//! anyone may make again ([`finish`]), in this order: publication into a table, `_SUCCESS` or
//! `_FAILED`, sweep, `closed`. Publication comes before `_SUCCESS`, so that whoever sees the
//! marker sees the rows; the sweep comes after it, so that nothing is removed that a copy still
//! needs; `closed` is last, so that its absence means there may be work to repair.

use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::{info, warn};

use crate::bucket::{BucketError, Created};
use crate::context::{Context, ProtocolError};
use crate::ids::{JobName, RunId};
use crate::key::Key;
use crate::record::{Commit, Outcome, Plan, ResultFile, Run, StageSummary, Status};

const PARALLEL_READS: usize = 32;

/// Ends a run whose last stage is whole.
pub async fn succeed(cx: &Context, plan: &Plan) -> Result<Outcome, ProtocolError> {
    let run: Run = cx.read(&Key::Run(&plan.run).to_string()).await?;
    let (stages, commits) = summarise(cx, plan).await?;
    let mut files: Vec<ResultFile> = commits.into_iter().flat_map(|c| c.files).collect();
    if let Some(into) = &plan.into {
        for (n, file) in files.iter_mut().enumerate() {
            file.key = published_key(into, &plan.run, n);
        }
    }
    let ended = cx.clock.now();
    let outcome = Outcome {
        run: run.run,
        job: run.job,
        status: Status::Succeeded,
        reason: None,
        rows: files.iter().map(|f| f.rows).sum(),
        bytes: files.iter().map(|f| f.bytes).sum(),
        files,
        seconds: seconds(ended - run.created),
        tasks: stages.iter().map(|s| s.tasks).sum(),
        stages,
        ended,
    };
    decide(cx, outcome).await
}

/// Ends a run that cannot succeed. If it has ended already, that outcome stands.
pub async fn fail(
    cx: &Context,
    run: &RunId,
    job: &JobName,
    reason: &str,
) -> Result<Outcome, ProtocolError> {
    let ended = cx.clock.now();
    let found: Option<Run> = cx.find(&Key::Run(run).to_string()).await?;
    let outcome = Outcome {
        run: run.clone(),
        job: job.clone(),
        status: Status::Failed,
        reason: Some(reason.to_owned()),
        files: vec![],
        rows: 0,
        bytes: 0,
        seconds: found.map_or(0.0, |r| seconds(ended - r.created)),
        tasks: 0,
        stages: vec![],
        ended,
    };
    decide(cx, outcome).await
}

fn seconds(duration: chrono::TimeDelta) -> f64 {
    duration.num_milliseconds() as f64 / 1e3
}

async fn decide(cx: &Context, outcome: Outcome) -> Result<Outcome, ProtocolError> {
    let key = Key::Outcome(&outcome.run).to_string();
    let outcome = match cx.create(key.clone(), &outcome).await? {
        Created::Now => outcome,
        Created::Before => cx.read(&key).await?,
    };
    let (run, rows, seconds) = (&outcome.run, outcome.rows, outcome.seconds);
    match &outcome.reason {
        None => info!(%run, rows, seconds, "run succeeded"),
        Some(reason) => warn!(%run, %reason, "run failed"),
    };
    finish(cx, &outcome).await?;
    Ok(outcome)
}

/// Does what follows an outcome, or does it again.
pub async fn finish(cx: &Context, outcome: &Outcome) -> Result<(), ProtocolError> {
    let run = &outcome.run;
    let closed = Key::Closed(run).to_string();
    if cx.repairs() && cx.exists(&closed).await? {
        return Ok(());
    }
    let succeeded = outcome.status == Status::Succeeded;
    if succeeded {
        publish(cx, outcome).await?;
    }
    let marker =
        if succeeded { Key::Success(&outcome.job, run) } else { Key::Failed(&outcome.job, run) };
    cx.create(marker.to_string(), outcome).await?;
    if succeeded {
        sweep(cx, run).await?;
    }
    cx.mark(closed).await?;
    Ok(())
}

/// Copies the files of a run that writes into a table to their published names.
async fn publish(cx: &Context, outcome: &Outcome) -> Result<(), ProtocolError> {
    let Some(plan) = cx.find::<Plan>(&Key::Plan(&outcome.run).to_string()).await? else {
        return Ok(());
    };
    if plan.into.is_none() {
        return Ok(());
    }
    // a repeated copy after the sweep has nothing left to read, and nothing left to do
    let commits = commits(cx, &plan).await?;
    let from = commits.into_iter().flat_map(|c| c.files);
    for (file, to) in from.zip(&outcome.files) {
        match cx.bucket.copy(&file.key, &to.key).await {
            Err(e) if e.is_not_found() && cx.exists(&to.key).await? => {}
            copied => copied?,
        }
    }
    Ok(())
}

/// `tables/<table>/tm-<run>-<n>.parquet`: no two runs and no two files of a run share a name.
fn published_key(into: &str, run: &RunId, n: usize) -> String {
    format!("{into}tm-{run}-{n:05}.parquet")
}

/// Removes the working keys of a run that succeeded.
async fn sweep(cx: &Context, run: &RunId) -> Result<(), ProtocolError> {
    let asked: Option<Run> = cx.find(&Key::Run(run).to_string()).await?;
    if asked.and_then(|r| r.spec).is_some_and(|s| s.options.keep_work) {
        return Ok(());
    }
    let keys: Vec<_> =
        cx.bucket.list(&Key::work_folder(run)).await?.into_iter().map(|o| o.key).collect();
    cx.bucket.delete(&keys).await?;
    Ok(())
}

async fn commits(cx: &Context, plan: &Plan) -> Result<Vec<Commit>, BucketError> {
    let Some(last) = plan.stages.last() else { return Ok(vec![]) };
    let objects = cx.bucket.list(&Key::stage_out_folder(&plan.run, last.id)).await?;
    stream::iter(objects)
        .map(|object| async move { cx.read::<Commit>(&object.key).await })
        .buffered(PARALLEL_READS)
        .try_collect()
        .await
}

/// What every stage came to, and the commits of the last.
async fn summarise(
    cx: &Context,
    plan: &Plan,
) -> Result<(Vec<StageSummary>, Vec<Commit>), BucketError> {
    let commits = commits(cx, plan).await?;
    let mut stages = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        let (tasks, bytes) = if plan.is_last(stage.id) {
            (commits.len(), commits.iter().flat_map(|c| &c.files).map(|f| f.bytes).sum())
        } else {
            let objects = cx.bucket.list(&Key::stage_out_folder(&plan.run, stage.id)).await?;
            (objects.len(), objects.iter().map(|o| o.size).sum())
        };
        stages.push(StageSummary {
            stage: stage.id,
            operators: stage.operators.clone(),
            tasks: u32::try_from(tasks).unwrap_or(u32::MAX),
            bytes,
        });
    }
    Ok((stages, commits))
}
