//! From an upload to tasks in the queue.
//!
//! The order of writes, each create-or-read-back, so that a planner that is killed between any
//! two of them is repaired by the next delivery of its event:
//! 1. the watch message: whatever happens from here on, somebody looks after the run; and the key under `recent/`,
//!    which a run may lack that never came to be;
//! 2. `run.json`: from here on the run exists and must end;
//! 3. `plan.json`: one object, so that all tasks see the same plan; the loser of a race drops its
//!    own and loads the winner's;
//! 4. for each stage that reads tables only: `layout`, its tasks, `sent` ([`advance::open`]).
//!
//! A job that cannot be run gets its `run.json` and then an outcome that says why.

use futures::future::try_join_all;
use tracing::{info, warn};

use crate::bucket::{BucketError, Created};
use crate::context::{Context, ProtocolError};
use crate::cost;
use crate::engine::{PlanRequest, Planner};
use crate::event::ObjectEvent;
use crate::ids::{JobName, RunId};
use crate::job::{self, JobFile, JobReadError, JobSpec, Refusal};
use crate::key::{Key, is_hidden};
use crate::pipeline::{self, Pipeline};
use crate::record::{Outcome, PinnedObject, Plan, Run, Source, WatchMessage};
use crate::{advance, end, retry, watch};

/// Does what an upload asks for. Uploads that ask for nothing are no error.
///
/// # Errors
/// Only what another delivery may mend; a bad job is a failed run.
pub async fn dispatch(
    cx: &Context,
    planner: &dyn Planner,
    event: &ObjectEvent,
) -> Result<(), ProtocolError> {
    let runs = runs_of(cx, event).await?;
    if runs.is_empty() {
        info!(key = %event.key, "nothing to run");
    }
    try_join_all(runs.into_iter().map(|run| start(cx, planner, run))).await?;
    Ok(())
}

/// Fails the runs of an upload that no planner could start.
pub async fn give_up(
    cx: &Context,
    event: &ObjectEvent,
    reason: &str,
) -> Result<Vec<Outcome>, ProtocolError> {
    let runs = runs_of(cx, event).await?;
    let fail = async |asked: Asked| {
        cx.mark(Key::recent(asked.run.created, &asked.run.run)).await?;
        let run = asked.refused().create(cx).await?;
        end::fail(cx, &run.run, &run.job, reason).await
    };
    try_join_all(runs.into_iter().map(fail)).await
}

/// A run that an upload asks for, and what it is to do if that is known yet.
#[derive(Debug)]
struct Asked {
    run: Run,
    /// The job, the reason to refuse it, or nothing: it is still to be read from the bucket.
    spec: Option<Result<JobSpec, Refusal>>,
    /// Bytes of the upload.
    size: u64,
}

impl Asked {
    fn new(event: &ObjectEvent, job: JobName, pipeline: Option<&str>) -> Self {
        let identity = [
            event.bucket.as_str(),
            &event.key,
            &event.sequencer,
            &event.etag,
            pipeline.unwrap_or_default(),
        ];
        let source = Source {
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            etag: event.etag.clone(),
            sequencer: event.sequencer.clone(),
            time: event.time,
            pipeline: pipeline.map(str::to_owned),
        };
        let run = match job::submission(&event.key) {
            Some((job, submission)) => RunId::of_submission(&job, &submission),
            None => RunId::of_event(&job, event.time, &identity),
        };
        let created = event.time;
        let run = Run { run, job, source, created, spec: None, input: None, retries: None };
        Self { run, spec: None, size: event.size }
    }

    fn refused(mut self) -> Self {
        self.run.spec = None;
        self
    }

    /// Creates `run.json`, or reads the one that is there.
    async fn create(self, cx: &Context) -> Result<Run, BucketError> {
        let key = Key::Run(&self.run.run).to_string();
        match cx.create(key.clone(), &self.run).await? {
            Created::Now => Ok(self.run),
            Created::Before => cx.read(&key).await,
        }
    }
}

/// The runs that an upload asks for.
async fn runs_of(cx: &Context, event: &ObjectEvent) -> Result<Vec<Asked>, BucketError> {
    if is_hidden(&event.key) {
        return Ok(vec![]);
    }
    if event.key.starts_with(Key::INBOX) {
        return runs_of_pipelines(cx, event).await;
    }
    if let Some(name) = Pipeline::name(&event.key) {
        return run_of_bad_pipeline(cx, event, name).await;
    }
    Ok(match job::job_name(&event.key) {
        None => vec![],
        Some(Ok(job)) => vec![Asked::new(event, job, None)],
        Some(Err((job, refusal))) => {
            vec![Asked { spec: Some(Err(refusal)), ..Asked::new(event, job, None) }]
        }
    })
}

/// One run for each pipeline that matches the upload.
async fn runs_of_pipelines(cx: &Context, event: &ObjectEvent) -> Result<Vec<Asked>, BucketError> {
    let mut runs = vec![];
    for (name, pipeline) in pipeline::load_all(&*cx.bucket).await? {
        match pipeline {
            Ok(pipeline) if pipeline.matches(&event.key) => {
                let mut asked = Asked::new(event, JobName::new(&name), Some(&name));
                asked.run.input = Some(PinnedObject {
                    key: event.key.clone(),
                    size: event.size,
                    etag: event.etag.clone(),
                });
                asked.spec = Some(Ok(pipeline.spec()));
                runs.push(asked);
            }
            Ok(_) => {}
            // its own upload has failed a run already
            Err(refusal) => warn!(pipeline = %name, reason = %refusal, "pipeline left out"),
        }
    }
    Ok(runs)
}

/// A pipeline is checked when it is uploaded: a bad one would otherwise just do nothing.
async fn run_of_bad_pipeline(
    cx: &Context,
    event: &ObjectEvent,
    name: &str,
) -> Result<Vec<Asked>, BucketError> {
    let parsed = match cx.bucket.get(&event.key, Some(&event.etag)).await {
        Ok(object) => Pipeline::parse(&event.key, &object.bytes),
        Err(e) if e.is_not_found() || e.is_changed() => return Ok(vec![]), // a later event tells
        Err(e) => return Err(e),
    };
    Ok(match parsed {
        Ok(_) => vec![],
        Err(refusal) => {
            let asked = Asked::new(event, JobName::new(name), Some(name));
            vec![Asked { spec: Some(Err(refusal)), ..asked }]
        }
    })
}

async fn start(cx: &Context, planner: &dyn Planner, mut asked: Asked) -> Result<(), ProtocolError> {
    let id = asked.run.run.clone();
    if let Some(outcome) = cx.find::<Outcome>(&Key::Outcome(&id).to_string()).await? {
        if cx.repairs() {
            end::finish(cx, &outcome).await?;
        }
        return Ok(());
    }
    let spec = match asked.spec.take() {
        Some(known) => known,
        None => match read_job(cx, &mut asked.run, asked.size).await {
            Ok(spec) => Ok(spec),
            Err(JobReadError::Refused(refusal)) => Err(refusal),
            Err(JobReadError::Bucket(e)) => return Err(e.into()),
        },
    };
    let (spec, refusal) = match spec {
        Ok(mut spec) => {
            spec.options = spec.options.within(cx.limits);
            (Some(spec), None)
        }
        Err(refusal) => (None, Some(refusal)),
    };
    asked.run.spec = spec;
    let recent = Key::recent(asked.run.created, &asked.run.run);
    let (watched, listed) = futures::join!(have_watched(cx, &asked.run), cx.mark(recent));
    watched?;
    listed?;
    let run = asked.create(cx).await?;
    info!(run = %run.run, key = %run.source.key, "run started");
    if let Some(refusal) = refusal {
        end::fail(cx, &run.run, &run.job, &refusal.sentence).await?;
        return Ok(());
    }
    let Some(plan) = plan(cx, planner, &run).await? else { return Ok(()) };
    try_join_all(plan.leaves().map(|stage| advance::open(cx, &plan, stage))).await?;
    Ok(())
}

/// Has a run watched that is about to exist. One that exists is watched already.
async fn have_watched(cx: &Context, run: &Run) -> Result<(), ProtocolError> {
    if cx.repairs() && cx.exists(&Key::Run(&run.run).to_string()).await? {
        return Ok(());
    }
    let sent = cx.clock.now();
    let message = WatchMessage { watch: run.run.clone(), job: run.job.clone(), sent };
    cx.queue.watch(&message, watch::first_look(cx, run)).await?;
    Ok(())
}

/// The run's plan: the one that is there, or a new one. `None` if the run failed.
async fn plan(
    cx: &Context,
    planner: &dyn Planner,
    run: &Run,
) -> Result<Option<Plan>, ProtocolError> {
    let key = Key::Plan(&run.run).to_string();
    if let Some(plan) = cx.find(&key).await? {
        return Ok(Some(plan));
    }
    let Some(spec) = &run.spec else {
        end::fail(cx, &run.run, &run.job, "the job file was refused").await?;
        return Ok(None);
    };
    let input = run.input.as_ref();
    let (now, workers) = (run.created, cx.workers);
    let request = PlanRequest { run: &run.run, spec, input, now, workers };
    let mut planned = match cx.in_time("planning the job", planner.plan(&request)).await {
        Ok(plan) => plan,
        Err(e) if e.is_retryable() => return Err(e.into()),
        Err(e) => {
            end::fail(cx, &run.run, &run.job, &e.to_string()).await?;
            return Ok(None);
        }
    };
    planned.max_cost_usd = spec.options.max_cost_usd;
    let earlier = match &run.retries {
        None if spec.options.reuse => retry::latest_unsuccessful(&*cx.bucket, &run.job).await?,
        retries => retries.clone(),
    };
    if let Some(earlier) = earlier {
        retry::take_over(cx, &mut planned, &earlier).await?;
    }
    if planned.explains.is_none() {
        planned.estimate = Some(cost::estimate(&planned, &workers));
    }
    match cx.create(key.clone(), &planned).await? {
        Created::Now => Ok(Some(planned)),
        Created::Before => Ok(Some(cx.read(&key).await?)),
    }
}

/// Reads the job file that the event tells of, at the event's version.
async fn read_job(cx: &Context, run: &mut Run, size: u64) -> Result<JobSpec, JobReadError> {
    let key = run.source.key.clone();
    if size > job::JOB_BYTES_MAX {
        return Err(job::too_large(&key, size).into());
    }
    let object = match cx.bucket.get(&key, Some(&run.source.etag)).await {
        Ok(object) => object,
        Err(e) if e.is_not_found() || e.is_changed() => {
            let why = format!("{key} was overwritten or deleted before run {} read it", run.run);
            return Err(Refusal::new(why).into());
        }
        Err(e) => return Err(e.into()),
    };
    match job::parse(&key, &object.bytes)? {
        JobFile::Job(spec) => Ok(spec),
        JobFile::Backfill { pipeline, input } => read_backfill(cx, run, &pipeline, &input).await,
        JobFile::Retry { run: earlier } => read_retry(cx, run, &earlier).await,
    }
}

/// What an earlier run was asked for. The run takes its job's name, so that its result lies where
/// the earlier one's would.
async fn read_retry(cx: &Context, run: &mut Run, earlier: &str) -> Result<JobSpec, JobReadError> {
    let (earlier, spec) = retry::earlier(&*cx.bucket, earlier).await?;
    run.job = earlier.job;
    run.source.pipeline = earlier.source.pipeline;
    run.input = earlier.input;
    run.retries = Some(earlier.run);
    Ok(spec)
}

/// A pipeline over a file that landed before the pipeline existed. The run takes the pipeline's
/// name, so that its result lies where those of other uploads do.
async fn read_backfill(
    cx: &Context,
    run: &mut Run,
    name: &str,
    input: &str,
) -> Result<JobSpec, JobReadError> {
    let key = format!("{}{name}.json", Key::PIPELINES);
    let pipeline = match cx.bucket.get(&key, None).await {
        Ok(object) => Pipeline::parse(&key, &object.bytes)?,
        Err(e) if e.is_not_found() => {
            return Err(Refusal::new(format!("there is no pipeline {key}")).into());
        }
        Err(e) => return Err(e.into()),
    };
    if !pipeline.matches(input) {
        let why = format!("{input} is not what pipeline {name} runs on ({}…)", pipeline.prefix);
        return Err(Refusal::new(why).into());
    }
    let Some(head) = cx.bucket.head(input).await? else {
        return Err(Refusal::new(format!("there is no object {input}")).into());
    };
    run.job = JobName::new(name);
    run.source.pipeline = Some(name.to_owned());
    run.input =
        Some(PinnedObject { key: input.into(), size: head.info.size, etag: head.info.etag });
    Ok(pipeline.spec())
}
