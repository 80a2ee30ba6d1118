//! Dropping a job, and following its run to its end.

use std::time::{Duration, Instant};

use anyhow::Context;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::dispatch::SUBMISSION;
use tidemill_protocol::record::{Outcome, Run, Status};
use tidemill_protocol::status::status;
use tidemill_protocol::{JobName, Key, RunId, context};

use crate::client::Target;
use crate::interrupt::{Interrupted, Interrupts};
use crate::progress::Progress;
use crate::run::Job;
use crate::terminal::say;

/// How often the bucket is asked how far a run is.
const POLL: Duration = Duration::from_millis(100);

/// How long a submitted job may go unnoticed before that is said.
const UNNOTICED: Duration = Duration::from_secs(30);

/// How long a run that was cancelled is waited for.
const CANCEL_PATIENCE: Duration = Duration::from_secs(20);

/// Drops a job, follows its run, and returns how it ended. A signal cancels the run.
///
/// # Errors
/// An [`Interrupted`], if there was a signal.
pub(crate) async fn submit_and_wait(
    bucket: &S3Bucket,
    job: &Job,
    target: &Target,
) -> anyhow::Result<Outcome> {
    let mut interrupts = Interrupts::listen()?;
    let submission = uuid::Uuid::new_v4().simple().to_string();
    let key = format!("{}{}.{}", Key::JOBS, job.name, job.extension);
    bucket
        .put(&key, job.text.clone().into(), &[(SUBMISSION, &submission)])
        .await
        .with_context(|| format!("dropping the job at s3://{}/{key} failed", bucket.name()))?;
    let name = JobName::new(&job.name);
    let finding = find_run(bucket, &name, &submission);
    tokio::pin!(finding);
    let mut is_cancelled = false;
    let run = loop {
        tokio::select! {
            run = &mut finding => break run?,
            () = interrupts.next() => {
                if is_cancelled {
                    let flags = target.flags();
                    return Err(Interrupted(format!(
                        "s3://{}/{key} has been dropped and its run goes on: `tidemill ls {name}{flags}` \
                         says its id, `tidemill cancel RUN{flags}` ends it",
                        bucket.name()
                    )).into());
                }
                is_cancelled = true;
                say("interrupted: the run is cancelled as soon as its id is known");
            }
        }
    };
    let mut progress = Progress::new(&run);
    let following = Following { bucket, run: &run, target };
    following.to_the_end(&mut progress, &mut interrupts, is_cancelled).await
}

/// The run that a submission started.
async fn find_run(bucket: &S3Bucket, job: &JobName, submission: &str) -> anyhow::Result<RunId> {
    let prefix = format!("{}{}", Key::RUNS, RunId::prefix(job));
    let start = Instant::now();
    let mut others = std::collections::HashSet::new();
    let mut said = false;
    loop {
        let objects = bucket.list(&prefix).await?;
        let runs = objects.into_iter().filter(|o| o.key.ends_with("/run.json"));
        for object in runs {
            if others.contains(&object.key) {
                continue;
            }
            let found: Option<Run> = context::find(bucket, &object.key).await?;
            match found {
                Some(run) if run.submission.as_deref() == Some(submission) => return Ok(run.run),
                _ => others.insert(object.key),
            };
        }
        if start.elapsed() > UNNOTICED && !said {
            said = true;
            say("still waiting for the planner to notice the job …");
        }
        tokio::time::sleep(POLL / 4).await;
    }
}

/// A run that this command waits for.
struct Following<'a> {
    bucket: &'a S3Bucket,
    run: &'a RunId,
    target: &'a Target,
}

impl Following<'_> {
    /// Shows a run's progress until it ends, or until it is cancelled here and its end is not
    /// waited for.
    async fn to_the_end(
        &self,
        progress: &mut Progress,
        interrupts: &mut Interrupts,
        mut is_cancelled: bool,
    ) -> anyhow::Result<Outcome> {
        if is_cancelled {
            self.cancel();
        }
        let patience = tokio::time::sleep(CANCEL_PATIENCE);
        tokio::pin!(patience);
        let ending = self.outcome(progress);
        tokio::pin!(ending);
        loop {
            tokio::select! {
                outcome = &mut ending => {
                    let outcome = outcome?;
                    return if is_cancelled { Err(self.after_cancel(&outcome).into()) } else { Ok(outcome) };
                }
                () = interrupts.next() => {
                    if is_cancelled {
                        return Err(self.left_behind().into());
                    }
                    is_cancelled = true;
                    self.cancel();
                    patience.as_mut().reset(tokio::time::Instant::now() + CANCEL_PATIENCE);
                }
                () = &mut patience, if is_cancelled => return Err(self.left_behind().into()),
            }
        }
    }

    /// Asks for the end of the run, beside what else is done: a second signal must not wait for it.
    fn cancel(&self) {
        let run = self.run;
        say(&format!("interrupted: cancelling run {run}; once more leaves it to itself"));
        let (bucket, key) = (self.bucket.clone(), Key::Cancel(run).to_string());
        tokio::spawn(async move {
            if let Err(e) = bucket.put(&key, bytes::Bytes::new(), &[]).await {
                say(&format!("error: creating s3://{}/{key} failed: {e:#}", bucket.name()));
            }
        });
    }

    async fn outcome(&self, progress: &mut Progress) -> anyhow::Result<Outcome> {
        let (bucket, run) = (self.bucket, self.run);
        loop {
            let found = status(bucket, run).await?;
            let found = found.with_context(|| format!("run {run} has disappeared"))?;
            progress.show(&found);
            if let Some(outcome) = found.outcome {
                progress.finish(&outcome);
                self.wait_for_marker().await?;
                return Ok(outcome);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The outcome decides; what follows it should be there too before we say so.
    async fn wait_for_marker(&self) -> anyhow::Result<()> {
        let closed = Key::Closed(self.run).to_string();
        let start = Instant::now();
        while self.bucket.head(&closed).await?.is_none() && start.elapsed() < UNNOTICED {
            tokio::time::sleep(POLL / 4).await;
        }
        Ok(())
    }

    fn after_cancel(&self, outcome: &Outcome) -> Interrupted {
        let (run, flags) = (self.run, self.target.flags());
        Interrupted(match outcome.status {
            Status::Cancelled => {
                format!("run {run} is cancelled; `tidemill retry {run}{flags}` takes it up")
            }
            Status::Failed => {
                let reason = outcome.reason.as_deref().unwrap_or("it did not succeed");
                format!("run {run} had failed before it could be cancelled: {reason}")
            }
            Status::Succeeded => format!(
                "run {run} had succeeded before it could be cancelled: its result is in s3://{}/{}",
                self.bucket.name(),
                outcome.into.clone().unwrap_or_else(|| Key::result_folder(&outcome.job, run))
            ),
        })
    }

    fn left_behind(&self) -> Interrupted {
        let (run, flags) = (self.run, self.target.flags());
        Interrupted(format!(
            "left while run {run} was being cancelled: `tidemill status {run}{flags}` says whether it \
             has ended, `tidemill cancel {run}{flags}` cancels it"
        ))
    }
}
