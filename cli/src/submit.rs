//! Dropping a job, and following its run to its end.

use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::record::{Outcome, Status};
use tidemill_protocol::status::RunWatch;
use tidemill_protocol::{JobName, Key, RunId, Submission};

use crate::client::Target;
use crate::interrupt::{Interrupt, Interrupted, Interrupts};
use crate::progress::Progress;
use crate::run::Job;
use crate::terminal::{self, say};

/// How often the bucket is asked how far a run is, at first, and at last.
const POLL: Duration = Duration::from_millis(20);
const POLL_MAX: Duration = Duration::from_secs(2);

/// After so many times as long as a run has been followed it is looked at again.
const POLL_SHARE: f64 = 0.05;

/// How long a submitted job may go unnoticed before that is said.
pub(crate) const UNNOTICED: Duration = Duration::from_secs(30);

/// How long a run that was cancelled is waited for.
const CANCEL_PATIENCE: Duration = Duration::from_secs(20);

/// Drops a job; its run.
pub(crate) async fn submit(bucket: &S3Bucket, job: &Job) -> anyhow::Result<RunId> {
    let (run, key) = submission(&JobName::new(&job.name), job.extension);
    bucket
        .put(&key, job.text.clone().into(), &[])
        .await
        .with_context(|| format!("dropping the job at s3://{}/{key} failed", bucket.name()))?;
    Ok(run)
}

/// Drops a job, follows its run, and returns how it ended. A signal cancels the run, or asks.
///
/// # Errors
/// An [`Interrupted`], if there was a signal.
pub(crate) async fn submit_and_wait(
    bucket: &S3Bucket,
    job: &Job,
    target: &Target,
) -> anyhow::Result<Outcome> {
    let mut interrupts = Interrupts::listen()?;
    let run = submit(bucket, job).await?;
    follow(bucket, &run, target, &mut interrupts, AtSignal::Cancel).await
}

/// What becomes of a run that is followed at a signal, unless somebody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtSignal {
    /// This command has started it: it ends.
    Cancel,
    /// Somebody else has: it goes on.
    Leave,
}

/// Follows a run to its end, and returns how it ended. Ctrl-C asks what is to become of it, where somebody can be
/// asked.
///
/// # Errors
/// An [`Interrupted`], if there was a signal.
pub(crate) async fn follow(
    bucket: &S3Bucket,
    run: &RunId,
    target: &Target,
    interrupts: &mut Interrupts,
    at_signal: AtSignal,
) -> anyhow::Result<Outcome> {
    let following = Following { bucket, run, target, at_signal, asks: terminal::can_ask() };
    following.to_the_end(&mut Progress::new(run), interrupts).await
}

/// The same in a shell, where a signal ends the statement, and only what takes long is shown.
pub(crate) async fn follow_quietly(
    bucket: &S3Bucket,
    run: &RunId,
    target: &Target,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Outcome> {
    let at_signal = AtSignal::Cancel;
    let following = Following { bucket, run, target, at_signal, asks: false };
    following.to_the_end(&mut Progress::quiet(), interrupts).await
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
pub(crate) fn next_look(followed: Duration) -> Duration {
    followed.mul_f64(POLL_SHARE).clamp(POLL, POLL_MAX)
}

/// What is to become of a run whose follower was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Cancel,
    Leave,
    Wait,
}

impl Wish {
    fn of_answer(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "c" | "cancel" => Self::Cancel,
            "l" | "leave" => Self::Leave,
            _ => Self::Wait,
        }
    }
}

/// Somebody who was asked, and has not answered yet.
type Asked<'a> = Pin<Box<dyn Future<Output = Wish> + 'a>>;

/// The answer of who was asked; of nobody there is none.
async fn answer(asked: &mut Option<Asked<'_>>) -> Wish {
    match asked {
        Some(asked) => asked.await,
        None => std::future::pending().await,
    }
}

/// Asks what is to become of a run.
async fn ask(run: &RunId) -> Wish {
    say(&format!(
        "run {run}: c cancels it, l leaves it at work, Enter goes on waiting; Ctrl-C again leaves"
    ));
    let answer = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().read_line(&mut text).map(|_| text)
    });
    match answer.await {
        Ok(Ok(text)) => Wish::of_answer(&text),
        _ => Wish::Leave,
    }
}

/// A run that this command waits for.
struct Following<'a> {
    bucket: &'a S3Bucket,
    run: &'a RunId,
    target: &'a Target,
    at_signal: AtSignal,
    /// Whether a key asks first.
    asks: bool,
}

impl Following<'_> {
    /// Shows a run's progress until it ends, or until it is cancelled here and its end is not
    /// waited for.
    async fn to_the_end(
        &self,
        progress: &mut Progress,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Outcome> {
        let (mut is_to_be_cancelled, mut is_cancelled) = (false, false);
        let mut asked: Option<Asked> = None;
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
                interrupt = interrupts.next() => {
                    if is_cancelled {
                        return Err(self.left_behind().into());
                    }
                    match (&asked, self.at_signal) {
                        (None, _) if self.asks && interrupt == Interrupt::Key => {
                            asked = Some(Box::pin(ask(self.run)));
                        }
                        // who says nothing and presses again means it
                        (Some(_), _) | (None, AtSignal::Leave) => return Err(self.left().into()),
                        (None, AtSignal::Cancel) => is_to_be_cancelled = true,
                    }
                }
                wish = answer(&mut asked) => {
                    asked = None;
                    match wish {
                        Wish::Wait => {}
                        Wish::Leave => return Err(self.left().into()),
                        Wish::Cancel => is_to_be_cancelled = true,
                    }
                }
                () = &mut patience, if is_cancelled => return Err(self.left_behind().into()),
            }
            if is_to_be_cancelled && !is_cancelled {
                is_cancelled = true;
                self.cancel();
                patience.as_mut().reset(tokio::time::Instant::now() + CANCEL_PATIENCE);
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
                tokio::time::sleep(next_look(start.elapsed())).await;
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

    fn left(&self) -> Interrupted {
        let (run, flags) = (self.run, self.target.flags());
        let goes_on = match self.target.local {
            // the emulator of this command ends with it
            Some(_) => "it goes on when an emulator has this folder again",
            None => "it goes on",
        };
        Interrupted(format!(
            "left run {run}, and {goes_on}: `tidemill wait {run}{flags}` waits for its end, \
             `tidemill cancel {run}{flags}` ends it"
        ))
    }

    fn left_behind(&self) -> Interrupted {
        let (run, flags) = (self.run, self.target.flags());
        Interrupted(format!(
            "left while run {run} was being cancelled: `tidemill status {run}{flags}` says whether it \
             has ended, `tidemill cancel {run}{flags}` cancels it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_ends_a_run_or_leaves_it() {
        for (answer, wish) in [
            ("c\n", Wish::Cancel),
            ("Leave", Wish::Leave),
            ("", Wish::Wait),
            ("\n", Wish::Wait),
            ("what?", Wish::Wait),
        ] {
            assert_eq!(Wish::of_answer(answer), wish, "{answer:?}");
        }
    }
}
