//! What follows an attempt that fails, dies or is too late.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{info, warn};

use super::attempt::Attempt;
use super::commit::uncommitted;
use crate::METRICS;
use crate::bucket::BucketError;
use crate::context::{Context, ProtocolError, full_text};
use crate::end;
use crate::engine::EngineError;
use crate::ids::RunId;
use crate::key::Key;
use crate::queue::WorkerKind;
use crate::record::{AttemptError, AttemptStart, Outcome, Run, TaskMessage};

/// How often a worker looks whether its run has ended.
const OUTCOME_LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Attempt<'_> {
    /// What follows a failed attempt: another one, one with more memory, or the end of the run.
    pub(super) async fn give_up_or_repeat(
        &self,
        message: &TaskMessage,
        failed: ProtocolError,
    ) -> Result<(), ProtocolError> {
        let Self { cx, plan, .. } = *self;
        if cx.exists(&Key::Outcome(&plan.run).to_string()).await? {
            return Ok(()); // what it missed was swept
        }
        let text = full_text(&failed);
        warn!(error = %text, "attempt failed");
        info!(target: METRICS, FailedAttempts = 1);
        match &failed {
            ProtocolError::Engine(EngineError::OutOfMemory(_))
                if let Some(larger) = cx.kind.larger() =>
            {
                return send_on(cx, message, larger).await;
            }
            ProtocolError::Engine(EngineError::Unfinished(_)) => {
                info!("the tasks go on in another invocation");
                cx.queue.send(cx.kind, std::slice::from_ref(message)).await?;
                return self.record_error(message, text).await; // else it would look alive when that one dies
            }
            ProtocolError::Engine(e) if !e.is_retryable() => {
                end::fail(cx, &plan.run, self.job, &e.to_string()).await?;
                return Ok(());
            }
            _ => {}
        }
        self.record_error(message, text).await?;
        Err(failed)
    }

    async fn record_error(
        &self,
        message: &TaskMessage,
        error: String,
    ) -> Result<(), ProtocolError> {
        let Self { cx, plan, stage, .. } = *self;
        let key = format!("{}.error", Key::Attempt(&plan.run, stage.id, message.task, &cx.attempt));
        cx.create(key, AttemptError { failed: cx.clock.now(), error, lines: (cx.last_lines)() })
            .await?;
        Ok(())
    }
}

/// A larger worker, if there is one and earlier deliveries of a message were killed, most likely for their
/// memory: what fails or runs out of time says so. One death may be the machine's.
pub(super) async fn died_in_silence(
    cx: &Context,
    message: &TaskMessage,
) -> Result<Option<WorkerKind>, BucketError> {
    let Some(larger) = cx.kind.larger().filter(|_| cx.delivery >= 3) else { return Ok(None) };
    Ok((last_words(cx, message).await?.silent >= 2).then_some(larger))
}

/// Sends tasks on to a larger worker. A repetition costs an attempt, and no more.
pub(super) async fn send_on(
    cx: &Context,
    message: &TaskMessage,
    larger: WorkerKind,
) -> Result<(), ProtocolError> {
    let TaskMessage { run, stage, task, .. } = message;
    warn!(tasks = message.tasks, "sent on to a larger worker");
    cx.queue.send(larger, std::slice::from_ref(message)).await?;
    // else the attempts of this message would look alive when the other one dies
    cx.mark(Key::Dead(run, *stage, *task, &cx.message).to_string()).await?;
    Ok(())
}

/// Waits until somebody has ended the run: then what its tasks do is for nothing.
pub(super) async fn until_ended(cx: &Context, run: &RunId) -> Result<(), ProtocolError> {
    loop {
        cx.clock.sleep(OUTCOME_LOOK_INTERVAL).await;
        if cx.exists(&Key::Outcome(run).to_string()).await? {
            info!("the run has ended before its task");
            return Ok(());
        }
    }
}

/// A missing plan or layout after an outcome is no error; before one, the message is from nowhere.
pub(super) async fn no_op_after_outcome(
    cx: &Context,
    message: &TaskMessage,
) -> Result<(), ProtocolError> {
    if cx.exists(&Key::Outcome(&message.run).to_string()).await? {
        return Ok(());
    }
    let what = format!("layout of stage {}", message.stage);
    Err(ProtocolError::NotInPlan { run: message.run.to_string(), what })
}

pub(super) fn not_in_plan(run: &RunId, message: &TaskMessage) -> ProtocolError {
    let TaskMessage { stage, task, tasks, .. } = message;
    let what = match tasks {
        1 => format!("task {task} of stage {stage}"),
        _ => format!("{tasks} tasks from {task} of stage {stage}"),
    };
    ProtocolError::NotInPlan { run: run.to_string(), what }
}

/// Ends the run of tasks that were given up by the queue, unless all have a commit after all, or
/// another message of theirs is still on its way: a straggler's second one.
pub async fn give_up(
    cx: &Context,
    message: &TaskMessage,
) -> Result<Option<Outcome>, ProtocolError> {
    let TaskMessage { run, stage, task: first, .. } = message;
    let Some(asked) = cx.find::<Run>(&Key::Run(run).to_string()).await? else { return Ok(None) };
    let Some(task) = uncommitted(&cx.repairing(), message).await?.first().copied() else {
        return Ok(None);
    };
    // said before looking for others: of two messages that die together at least one sees both
    cx.mark(Key::Dead(run, *stage, *first, &cx.message).to_string()).await?;
    let words = last_words(cx, message).await?;
    if words.others_live {
        return Ok(None);
    }
    let LastWords { attempts, error, log, .. } = words;
    let reason = format!(
        "task {task} of stage {stage} did not end in {attempts} attempts; {error}; its log is {log}"
    );
    end::fail(cx, run, &asked.job, &reason).await.map(Some)
}

/// What the attempts of a message's tasks left behind.
struct LastWords {
    attempts: usize,
    /// How many attempts of this message ended without a word.
    silent: usize,
    /// The last error.
    error: String,
    /// Where the log of the last attempt is.
    log: String,
    /// Another message that was not given up has started an attempt that has not failed.
    others_live: bool,
}

async fn last_words(cx: &Context, message: &TaskMessage) -> Result<LastWords, BucketError> {
    let TaskMessage { run, stage, task, .. } = message;
    let objects = cx.bucket.list(&Key::attempts_folder(run, *stage, *task)).await?;
    let given_up = cx.bucket.list(&Key::dead_folder(run, *stage, *task)).await?;
    let is_dead =
        |message: &str| given_up.iter().any(|o| o.key.rsplit('/').next() == Some(message));
    let errors: BTreeSet<&str> =
        objects.iter().filter_map(|o| o.key.strip_suffix(".error")).collect();
    let (mut error, mut log) = (None, None);
    let (mut silent, mut others_live) = (0, false);
    for object in objects.iter().filter(|o| !o.key.ends_with(".error")) {
        let found: AttemptStart = cx.read(&object.key).await?;
        if !errors.contains(object.key.as_str()) {
            silent += usize::from(found.message == cx.message);
            others_live |= found.message != cx.message && !is_dead(&found.message);
        }
        log = log.max(Some((found.started, found.log)));
    }
    for key in &errors {
        let found: AttemptError = cx.read(&format!("{key}.error")).await?;
        error = error.max(Some((found.failed, found.error)));
    }
    let error = error.map_or_else(
        || "it left no error: its process was killed or ran out of time".to_owned(),
        |(_, e)| format!("the last error: {e}"),
    );
    let log = log.map_or_else(|| "unknown".into(), |(_, l)| l);
    let attempts = objects.len() - errors.len();
    Ok(LastWords { attempts, silent, error, log, others_live })
}
