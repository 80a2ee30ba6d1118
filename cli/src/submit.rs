//! Dropping a job, and following its run to its end.

use std::time::{Duration, Instant};

use anyhow::Context;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::record::{Outcome, Status};
use tidemill_protocol::status::RunWatch;
use tidemill_protocol::{JobName, Key, RunId, Submission};

use crate::client::Target;
use crate::interrupt::{Interrupted, Interrupts};
use crate::progress::Progress;
use crate::run::Job;
use crate::terminal::say;

/// How often the bucket is asked how far a run is, at first, and at last.
const POLL: Duration = Duration::from_millis(20);
const POLL_MAX: Duration = Duration::from_secs(2);

/// After so many times as long as a run has been followed it is looked at again.
const POLL_SHARE: f64 = 0.05;

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
    let (run, key) = submission(&JobName::new(&job.name), job.extension);
    bucket
        .put(&key, job.text.clone().into(), &[])
        .await
        .with_context(|| format!("dropping the job at s3://{}/{key} failed", bucket.name()))?;
    let mut progress = Progress::new(&run);
    let following = Following { bucket, run: &run, target };
    following.to_the_end(&mut progress, &mut interrupts).await
}

/// A new run of a job, and the key that its job file starts it by.
pub(crate) fn submission(job: &JobName, extension: &str) -> (RunId, String) {
    let (_, number) = uuid::Uuid::new_v4().as_u64_pair();
    let submission = Submission::new(chrono::Utc::now(), number);
    (RunId::of_submission(job, &submission), Key::submission(job, &submission, extension))
}

/// Asks for the end of a run, once it is there to be ended.
pub(crate) async fn cancel(bucket: &S3Bucket, run: &RunId) -> anyhow::Result<()> {
    let (asked, start) = (Key::Run(run).to_string(), Instant::now());
    while bucket.head(&asked).await?.is_none() {
        anyhow::ensure!(start.elapsed() < UNNOTICED, "no planner has noticed run {run} yet");
        tokio::time::sleep(POLL).await;
    }
    bucket.put(&Key::Cancel(run).to_string(), bytes::Bytes::new(), &[]).await?;
    Ok(())
}

/// The time until the next look at a run that has been followed for so long: looks grow apart, as each costs about
/// $0.000006 in a deployment.
fn next_look(followed: Duration) -> Duration {
    followed.mul_f64(POLL_SHARE).clamp(POLL, POLL_MAX)
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
    ) -> anyhow::Result<Outcome> {
        let mut is_cancelled = false;
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
        let (bucket, run) = (self.bucket.clone(), run.clone());
        tokio::spawn(async move {
            if let Err(e) = cancel(&bucket, &run).await {
                say(&format!("error: run {run} cannot be cancelled: {e:#}"));
            }
        });
    }

    async fn outcome(&self, progress: &mut Progress) -> anyhow::Result<Outcome> {
        let (bucket, run) = (self.bucket, self.run);
        let (start, mut is_noticed, mut is_said) = (Instant::now(), false, false);
        let mut watch = RunWatch::new(run.clone());
        loop {
            let Some(found) = watch.look(bucket).await? else {
                anyhow::ensure!(!is_noticed, "run {run} has disappeared");
                if start.elapsed() > UNNOTICED && !is_said {
                    is_said = true;
                    say("still waiting for the planner to notice the job …");
                }
                tokio::time::sleep(POLL).await;
                continue;
            };
            is_noticed = true;
            progress.show(&found);
            if let Some(outcome) = found.outcome {
                progress.finish(&outcome);
                self.wait_for_marker().await?;
                return Ok(outcome);
            }
            tokio::time::sleep(next_look(start.elapsed())).await;
        }
    }

    /// The outcome decides; what follows it should be there too before we say so.
    async fn wait_for_marker(&self) -> anyhow::Result<()> {
        let closed = Key::Closed(self.run).to_string();
        let start = Instant::now();
        while self.bucket.head(&closed).await?.is_none() && start.elapsed() < UNNOTICED {
            tokio::time::sleep(POLL).await;
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
