//! How a run ends.
//!
//! `outcome.json` is created once and is the only decision. All that follows are copies that
//! anyone may make again ([`finish`]), in this order: publication into a table, `_SUCCESS` or
//! `_FAILED`, the timeline of the tasks, a report if the job asks for one, sweep, `closed`. Publication comes before `_SUCCESS`, so that whoever sees the
//! marker sees the rows; the sweep comes after it, so that nothing is removed that a copy still
//! needs; `closed` is last, so that its absence means there may be work to repair.

use chrono::TimeDelta;
use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::{info, warn};

use crate::METRICS;
use crate::bucket::{Body, BucketError, Created, NewObject, ObjectInfo};
use crate::committed;
use crate::context::{Context, ProtocolError};
use crate::cost::{self, budget};
use crate::ids::{JobName, RunId};
use crate::job::{JobOptions, OnBadRow};
use crate::key::Key;
use crate::record::{
    Commit, Layout, Outcome, PinnedObject, Plan, RejectedPart, ResultFile, Run, StageSummary,
    Status, Usage,
};
use crate::report::{self, RunRecords};
use crate::timeline;

const PARALLEL_COPIES: usize = 16;

/// Ends a run whose last stage is whole.
pub async fn succeed(cx: &Context, plan: &Plan) -> Result<Outcome, ProtocolError> {
    let run: Run = cx.read(&Key::Run(&plan.run).to_string()).await?;
    let (stages, files) = summarise(cx, plan).await?;
    let bad_rows = bad_rows(cx, &run).await?;
    let ended = cx.clock.now();
    let seconds = seconds(ended - run.created);
    let mut actual = cost::actual(plan, &stages, &cx.workers, seconds);
    if plan.max_cost_usd.is_some() {
        actual.cost_usd = budget::account(cx, plan).await?.spent;
    }
    let estimate = plan.estimate.as_ref().map(|e| e.total);
    let outcome = Outcome {
        run: run.run,
        job: run.job,
        status: Status::Succeeded,
        reason: None,
        into: plan.publication.as_ref().map(|p| p.folder.clone()),
        rows: files.iter().map(|f| f.rows).sum(),
        bytes: files.iter().map(|f| f.bytes).sum(),
        files,
        seconds,
        tasks: stages.iter().map(|s| s.tasks).sum(),
        usage: stages.iter().map(|s| s.usage).sum(),
        bad_rows,
        actual: Some(actual),
        estimate,
        estimate_errors: estimate.map(|e| e.deviation(&actual)),
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
    end_early(cx, run, job, Status::Failed, reason).await
}

/// Ends a run because somebody asked for it. If it has ended already, that outcome stands.
pub async fn cancel(cx: &Context, run: &Run) -> Result<Outcome, ProtocolError> {
    end_early(cx, &run.run, &run.job, Status::Cancelled, "the run was cancelled").await
}

/// How many lines were set aside, if the job sets any aside.
async fn bad_rows(cx: &Context, run: &Run) -> Result<Option<u64>, BucketError> {
    if run.spec.as_ref().is_none_or(|s| s.options.on_bad_row == OnBadRow::Fail) {
        return Ok(None);
    }
    let folder = Key::rejects_folder(&run.job, &run.run);
    let objects = cx.bucket.list(&folder).await?;
    let parts = objects.iter().filter_map(|o| o.key.strip_prefix(&folder)?.parse().ok());
    Ok(Some(RejectedPart::count(parts.collect())))
}

async fn end_early(
    cx: &Context,
    run: &RunId,
    job: &JobName,
    status: Status,
    reason: &str,
) -> Result<Outcome, ProtocolError> {
    let ended = cx.clock.now();
    let found: Option<Run> = cx.find(&Key::Run(run).to_string()).await?;
    let outcome = Outcome {
        run: run.clone(),
        job: job.clone(),
        status,
        reason: Some(reason.to_owned()),
        into: None,
        files: vec![],
        rows: 0,
        bytes: 0,
        seconds: found.map_or(0.0, |r| seconds(ended - r.created)),
        tasks: 0,
        usage: Usage::default(),
        bad_rows: None,
        actual: None,
        estimate: None,
        estimate_errors: None,
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
        Created::Now => {
            count(&outcome);
            outcome
        }
        // whoever decided finishes too, or its next delivery does
        Created::Before if !cx.repairs() => return Ok(cx.read(&key).await?),
        Created::Before => cx.read(&key).await?,
    };
    let (run, rows, seconds) = (&outcome.run, outcome.rows, outcome.seconds);
    match &outcome.reason {
        None => info!(%run, rows, seconds, "run succeeded"),
        Some(reason) => warn!(%run, %reason, "run ended without a result"),
    };
    finish(cx, &outcome).await?;
    Ok(outcome)
}

fn count(outcome: &Outcome) {
    match outcome.status {
        Status::Succeeded => {
            info!(target: METRICS, SucceededRuns = 1, RunSeconds = outcome.seconds);
        }
        Status::Failed => info!(target: METRICS, FailedRuns = 1),
        Status::Cancelled => info!(target: METRICS, CancelledRuns = 1),
    }
}

/// Does what follows an outcome, or does it again.
pub async fn finish(cx: &Context, outcome: &Outcome) -> Result<(), ProtocolError> {
    if outcome.into.is_some() && !cx.kind.publishes() {
        return Ok(()); // a worker that may does
    }
    let run = &outcome.run;
    let closed = Key::Closed(run).to_string();
    if cx.repairs() && cx.exists(&closed).await? {
        return Ok(());
    }
    let succeeded = outcome.status == Status::Succeeded;
    let marker =
        if succeeded { Key::Success(&outcome.job, run) } else { Key::Failed(&outcome.job, run) };
    let marker = marker.to_string();
    // what was published once may have been replaced by a later run since
    if succeeded && !(cx.repairs() && cx.exists(&marker).await?) {
        publish(cx, outcome).await?;
    }
    cx.create(marker, outcome).await?;
    let objects = cx.bucket.list(&Key::work_folder(run)).await?;
    keep_timeline(cx, outcome, &objects).await?;
    let options = options(cx, run).await?;
    if options.report {
        leave_report(cx, outcome).await?;
    }
    if succeeded && !options.keep_work {
        sweep(cx, objects).await?;
    }
    cx.mark(closed).await?;
    Ok(())
}

/// Makes the files of a run that writes into a table part of it: the new ones come first, so that
/// no row is missing at any time, then those that they replace go.
async fn publish(cx: &Context, outcome: &Outcome) -> Result<(), ProtocolError> {
    if outcome.into.is_none() {
        return Ok(());
    }
    let copies: Vec<_> = outcome.files.iter().map(|file| copy(cx, file)).collect();
    stream::iter(copies).buffer_unordered(PARALLEL_COPIES).try_collect::<()>().await?;
    let plan: Plan = cx.read(&Key::Plan(&outcome.run).to_string()).await?;
    let replaced = plan.publication.map(|p| p.replaces).unwrap_or_default();
    let found: Vec<_> = replaced.iter().map(|file| find_version(cx, file)).collect();
    let found: Vec<Option<String>> =
        stream::iter(found).buffer_unordered(PARALLEL_COPIES).try_collect().await?;
    cx.bucket.delete(&found.into_iter().flatten().collect::<Vec<_>>()).await?;
    Ok(())
}

async fn copy(cx: &Context, file: &ResultFile) -> Result<(), BucketError> {
    match &file.from {
        Some(from) => cx.bucket.copy(from, &file.key).await,
        None => Ok(()),
    }
}

/// The key of a pinned object, if it is still that version: an upload of the same name since then
/// is nobody's to remove.
async fn find_version(cx: &Context, pinned: &PinnedObject) -> Result<Option<String>, BucketError> {
    let found = cx.bucket.head(&pinned.key).await?;
    Ok(found.filter(|f| f.info.etag == pinned.etag).map(|f| f.info.key))
}

/// Keeps when the tasks of a run ran, which only its working keys tell.
async fn keep_timeline(
    cx: &Context,
    outcome: &Outcome,
    objects: &[ObjectInfo],
) -> Result<(), BucketError> {
    let took = TimeDelta::milliseconds((outcome.seconds * 1e3).round() as i64);
    let (run, created) = (&outcome.run, outcome.ended - took);
    let timeline = match outcome.status {
        Status::Succeeded => timeline::succeeded(&*cx.bucket, run, created, objects).await?,
        Status::Failed | Status::Cancelled => {
            timeline::unfinished(&*cx.bucket, run, created, objects, outcome.ended).await?
        }
    };
    cx.create(Key::Tasks(&outcome.run).to_string(), timeline).await?;
    Ok(())
}

/// What the job of a run says of its end.
async fn options(cx: &Context, run: &RunId) -> Result<JobOptions, BucketError> {
    let asked: Option<Run> = cx.find(&Key::Run(run).to_string()).await?;
    Ok(asked.and_then(|run| run.spec).map(|spec| spec.options).unwrap_or_default())
}

/// Leaves the run as a page beside its result.
async fn leave_report(cx: &Context, outcome: &Outcome) -> Result<(), BucketError> {
    let (run, made) = (&outcome.run, outcome.ended);
    let Some(records) = RunRecords::find(&*cx.bucket, run, made).await? else { return Ok(()) };
    let bucket = records.status.request.as_ref().map(|request| request.source.bucket.clone());
    let bucket = bucket.unwrap_or_default();
    let page = report::html(&records, None, &bucket, made);
    let key = Key::Report(&outcome.job, run).to_string();
    let page = NewObject::new(&key, Body::Bytes(page.into()), &cx.attempt);
    cx.bucket.create(page).await?;
    Ok(())
}

/// Removes working keys that came after a run had succeeded.
pub(crate) async fn sweep_late(cx: &Context, run: &RunId) -> Result<(), ProtocolError> {
    if options(cx, run).await?.keep_work {
        return Ok(());
    }
    let objects = cx.bucket.list(&Key::work_folder(run)).await?;
    sweep(cx, objects).await
}

/// Removes the working keys of a run that succeeded.
async fn sweep(cx: &Context, objects: Vec<ObjectInfo>) -> Result<(), ProtocolError> {
    let keys: Vec<_> = objects.into_iter().map(|o| o.key).collect();
    cx.bucket.delete(&keys).await?;
    Ok(())
}

/// What every stage came to, and the files of the last.
async fn summarise(
    cx: &Context,
    plan: &Plan,
) -> Result<(Vec<StageSummary>, Vec<ResultFile>), BucketError> {
    let commits = match plan.stages.last() {
        Some(last) => committed::of_stage(cx, plan, last).await?.commits,
        None => vec![],
    };
    let mut stages = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        let summary = StageSummary {
            stage: stage.id,
            operators: stage.operators.clone(),
            reused: stage.reused.clone(),
            tasks: 0,
            rows: 0,
            bytes: 0,
            usage: Usage::default(),
        };
        stages.push(match &stage.reused {
            Some(_) => summary,
            None if plan.is_last(stage.id) => of_commits(summary, &commits),
            None => of_exchange(summary, cx, plan).await?,
        });
    }
    Ok((stages, commits.into_iter().flat_map(|c| c.files).collect()))
}

fn of_commits(mut summary: StageSummary, commits: &[Commit]) -> StageSummary {
    summary.tasks = u32::try_from(commits.len()).unwrap_or(u32::MAX);
    for file in commits.iter().flat_map(|c| &c.files) {
        summary.rows += file.rows;
        summary.bytes += file.bytes;
    }
    summary.usage = commits.iter().map(|c| c.usage).sum();
    summary
}

/// The layout of a reader has the footers of all of an exchange's objects.
async fn of_exchange(
    mut summary: StageSummary,
    cx: &Context,
    plan: &Plan,
) -> Result<StageSummary, BucketError> {
    let Some(reader) = plan.readers(summary.stage).next() else { return Ok(summary) };
    let layout: Layout = cx.read(&Key::Layout(&plan.run, reader.id).to_string()).await?;
    let Some(index) = layout.inputs.iter().find(|i| i.stage == summary.stage) else {
        return Ok(summary);
    };
    let footers = || index.objects.iter().map(|o| &o.footer);
    summary.tasks = u32::try_from(index.objects.len()).unwrap_or(u32::MAX);
    summary.rows = footers().map(|f| f.rows).sum();
    summary.bytes = footers().filter_map(|f| f.offsets.last()).sum();
    summary.usage = footers().map(|f| f.usage).sum();
    Ok(summary)
}
