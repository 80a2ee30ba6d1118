//! What keeps a run from ending in silence.
//!
//! Each run has one message in the watch queue from before its first record until it is closed.
//! Whoever receives it looks at the run, does again what a crash left half done, and leaves the
//! message where it is until the next look: nothing is scheduled when nothing runs.
//!
//! Every repair is a step of the protocol that anyone may take twice, so two watchers, or a watcher
//! and a worker, do no harm to each other.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::METRICS;
use crate::attempts;
use crate::bucket::{BucketError, Created, ObjectInfo};
use crate::committed::{self, Known};
use crate::context::{Context, ProtocolError};
use crate::cost::{budget, dollars};
use crate::ids::RunId;
use crate::key::Key;
use crate::record::{Layout, Outcome, Plan, Run, Stage, Status, TaskMessage, WatchMessage};
use crate::status::progress;
use crate::tuning::{STRAGGLER_FACTOR, STRAGGLER_MESSAGES_MIN, STRAGGLER_TIME_MIN, WATCH_INTERVAL};
use crate::{advance, end};

/// A planner that has not started a run for so long never will: its event was delivered as often
/// as the queue does.
const UNSTARTED: TimeDelta = TimeDelta::minutes(15);

/// How long after its outcome a run is swept once more: no attempt that was under way then is still
/// alive, since no function may take longer (AWS Lambda quotas).
const LAST_SWEEP: TimeDelta = TimeDelta::minutes(15);

/// What has not been gone on from for so long is taken up by the watcher.
const STALLED: TimeDelta = TimeDelta::seconds(30);

/// When the message is needed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Never: the run is closed.
    Closed,
    /// After a while.
    Look(Duration),
}

/// How long after the upload a run is looked at for the first time.
pub(crate) fn first_look(cx: &Context, run: &Run) -> Duration {
    let deadline = run.deadline().to_std().unwrap_or_default();
    let budget = run.spec.as_ref().and_then(|s| s.options.max_cost_usd);
    WATCH_INTERVAL.min(deadline).min(budget.map_or(WATCH_INTERVAL, |usd| cx.workers.outlast(usd)))
}

/// Looks at a run, and repairs, repeats or ends what is to be.
///
/// # Errors
/// Only what another look may mend.
pub async fn watch(cx: &Context, message: &WatchMessage) -> Result<Next, ProtocolError> {
    let cx = &cx.repairing();
    let (run, now) = (&message.watch, cx.clock.now());
    if let Some(outcome) = cx.find::<Outcome>(&Key::Outcome(run).to_string()).await? {
        return close(cx, &outcome).await;
    }
    let Some(asked) = cx.find::<Run>(&Key::Run(run).to_string()).await? else {
        if now - message.sent < UNSTARTED {
            return Ok(Next::Look(WATCH_INTERVAL));
        }
        let reason = "the planner did not get the run started; its log says why, and uploading \
                      the job again tries again";
        let outcome = end::fail(cx, run, &message.job, reason).await?;
        return close(cx, &outcome).await;
    };
    if cx.exists(&Key::Cancel(run).to_string()).await? {
        let outcome = end::cancel(cx, &asked).await?;
        return close(cx, &outcome).await;
    }
    let plan = cx.find::<Plan>(&Key::Plan(run).to_string()).await?;
    let left = asked.created + asked.deadline() - now;
    if left <= TimeDelta::zero() {
        let reason = overdue(cx, &asked, plan.as_ref()).await?;
        let outcome = end::fail(cx, run, &asked.job, &reason).await?;
        return close(cx, &outcome).await;
    }
    let mut next = first_look(cx, &asked);
    if let Some(plan) = plan {
        if let Some(max) = plan.max_cost_usd {
            let account = budget::account(cx, &plan).await?;
            if account.spent > max {
                let reason = overspent(cx, &plan, account.spent, max).await?;
                let outcome = end::fail(cx, run, &asked.job, &reason).await?;
                return close(cx, &outcome).await;
            }
            next = WATCH_INTERVAL.min(account.next_look(&cx.workers, max));
        }
        for stage in plan.stages.iter().filter(|s| s.reused.is_none()) {
            mend(cx, &plan, stage).await?;
        }
    }
    let left = left.to_std().unwrap_or_default().max(Duration::from_secs(1));
    Ok(Next::Look(next.min(left)))
}

/// Ends a run because its cancel key is there; nothing, if there is no such run.
///
/// # Errors
/// Only what another delivery may mend.
pub async fn cancel(cx: &Context, run: &RunId) -> Result<Option<Outcome>, ProtocolError> {
    match cx.find::<Run>(&Key::Run(run).to_string()).await? {
        Some(asked) => end::cancel(cx, &asked).await.map(Some),
        None => {
            warn!(%run, "there is no such run to cancel");
            Ok(None)
        }
    }
}

/// Closes a run that has an outcome, and sweeps it once more a little later.
async fn close(cx: &Context, outcome: &Outcome) -> Result<Next, ProtocolError> {
    end::finish(cx, outcome).await?;
    if outcome.status != Status::Succeeded {
        return Ok(Next::Closed); // what it left is for `retry`
    }
    let wait = (outcome.ended + LAST_SWEEP - cx.clock.now()).min(LAST_SWEEP);
    if wait > TimeDelta::zero() {
        return Ok(Next::Look(wait.to_std().unwrap_or_default()));
    }
    end::sweep_late(cx, &outcome.run).await?;
    Ok(Next::Closed)
}

/// Why a run ends at its deadline, and how far it got.
async fn overdue(cx: &Context, asked: &Run, plan: Option<&Plan>) -> Result<String, BucketError> {
    let seconds = asked.deadline().num_seconds();
    let reached = match plan {
        Some(plan) => reached(cx, plan).await?,
        None => "it was not planned yet".to_owned(),
    };
    Ok(format!("the deadline of {seconds} seconds has passed: {reached}; see the option deadline"))
}

/// Why a run ends that has taken more than it may, and how far it got.
async fn overspent(cx: &Context, plan: &Plan, spent: f64, max: f64) -> Result<String, BucketError> {
    let reached = reached(cx, plan).await?;
    let (spent, max) = (dollars(spent), dollars(max));
    Ok(format!("the budget of {max} is spent ({spent}): {reached}; see the option max_cost_usd"))
}

/// The last stage of a plan that has started, and how many of its tasks are committed.
async fn reached(cx: &Context, plan: &Plan) -> Result<String, BucketError> {
    let mut reached = "no stage has started".to_owned();
    for stage in &plan.stages {
        let done = progress(&*cx.bucket, plan, stage).await?;
        if let Some(tasks) = done.tasks {
            reached = format!("stage {} had {} of {tasks} tasks", stage.id, done.committed);
        }
    }
    Ok(reached)
}

/// Does again what is missing of a stage.
async fn mend(cx: &Context, plan: &Plan, stage: &Stage) -> Result<(), ProtocolError> {
    let run = &plan.run;
    if cx.exists(&Key::Done(run, stage.id).to_string()).await? {
        return Ok(());
    }
    let key = Key::Layout(run, stage.id).to_string();
    let Some(layout) = cx.find::<Layout>(&key).await? else {
        let mut needs = vec![Key::Plan(run).to_string()];
        needs.extend(plan.inputs(stage).map(|i| Key::Done(plan.home(i), i.id).to_string()));
        return match have_long_been(cx, &needs).await? {
            true => advance::open(cx, plan, stage).await,
            false => Ok(()),
        };
    };
    if !cx.exists(&Key::Sent(run, stage.id).to_string()).await? {
        return match have_long_been(cx, &[key]).await? {
            true => advance::open(cx, plan, stage).await,
            false => Ok(()),
        };
    }
    let objects = cx.bucket.list(&Key::stage_out_folder(run, stage.id)).await?;
    if objects.len() < layout.tasks.len() {
        return repeat_stragglers(cx, stage, &layout, &objects).await;
    }
    match objects.iter().all(|o| is_long_ago(cx, o.modified)) {
        true => mend_advance(cx, plan, stage, &layout).await,
        false => Ok(()),
    }
}

/// Whether all of these objects exist, and have for so long that whoever was to go on from them is
/// dead.
async fn have_long_been(cx: &Context, keys: &[String]) -> Result<bool, BucketError> {
    for key in keys {
        match cx.bucket.head(key).await? {
            Some(found) if is_long_ago(cx, found.info.modified) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Whether a time is so long ago that whoever was at work then is dead. One in the future was long ago
/// too: the clock was put back since.
fn is_long_ago(cx: &Context, time: DateTime<Utc>) -> bool {
    (cx.clock.now() - time).abs() >= STALLED
}

/// All tasks are committed, but nobody went on from there.
async fn mend_advance(
    cx: &Context,
    plan: &Plan,
    stage: &Stage,
    layout: &Layout,
) -> Result<(), ProtocolError> {
    info!(run = %plan.run, stage = %stage.id, "nobody went on from a stage");
    let marks = committed::group_marks(cx, &plan.run, stage.id).await?;
    let is_marked = |group: u32| {
        let key = Key::DoneGroup(&plan.run, stage.id, group).to_string();
        marks.iter().any(|m| m.key == key)
    };
    let mut open: Vec<_> = (0..layout.groups()).filter(|g| !is_marked(*g)).collect();
    if open.is_empty() {
        open.push(0);
    }
    for group in open {
        advance::advance(cx, plan, stage, layout, group, &Known::new()).await?;
    }
    Ok(())
}

/// Sends the messages of a stage again that take far longer than the others, each once.
async fn repeat_stragglers(
    cx: &Context,
    stage: &Stage,
    layout: &Layout,
    objects: &[ObjectInfo],
) -> Result<(), ProtocolError> {
    let messages = layout.messages(stage);
    if messages.len() < STRAGGLER_MESSAGES_MIN || objects.len() * 2 < layout.tasks.len() {
        return Ok(());
    }
    let mut starts = BTreeMap::new();
    for attempt in attempts::of_stage(cx, layout).await? {
        let start = starts.entry(attempt.first).or_insert(attempt.started);
        *start = attempt.started.min(*start);
    }
    let committed = attempts::commit_times(objects);
    let mut took = vec![];
    let mut open = vec![];
    for message in messages {
        let Some(started) = starts.get(&message.task) else { continue };
        match attempts::end_of(&message, &committed) {
            Some(end) => took.push(end - *started),
            None => open.push((message, *started)),
        }
    }
    took.sort_unstable();
    let Some(median) = took.get(took.len() / 2) else { return Ok(()) };
    let limit = (*median * STRAGGLER_FACTOR).max(STRAGGLER_TIME_MIN);
    for (message, started) in open {
        if cx.clock.now() - started < limit {
            continue;
        }
        let TaskMessage { run, task, .. } = &message;
        // the claim comes first: a straggler is not worth a third attempt
        if cx.mark(Key::Again(run, stage.id, *task).to_string()).await? == Created::Now {
            warn!(%run, stage = %stage.id, %task, "a straggler is repeated");
            info!(target: METRICS, Stragglers = 1);
            cx.queue.send(stage.worker, &[message]).await?;
        }
    }
    Ok(())
}
