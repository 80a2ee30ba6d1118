//! One attempt of a task: read committed inputs, execute, commit, advance.
//!
//! The commit is the creation of one object at a key that names the task (`commit`). A loser of that
//! race discards its own output and still looks whether the stage is whole. The last stage creates its
//! part file first and its commit second, so a commit never names a file that is not there; a
//! part that another attempt left behind is adopted whole, never mixed with ours. What follows an
//! attempt that fails, or says nothing more, is in `failure`.

mod attempt;
mod commit;
mod failure;
mod memo;

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::info;

use crate::advance;
use crate::committed::Known;
use crate::context::{Context, ProtocolError};
use crate::end;
use crate::engine::Engine;
use crate::ids::TaskId;
use crate::key::Key;
use crate::record::{Layout, Outcome, Plan, Run, TaskMessage};
use crate::tuning::TINY_TASKS_AT_ONCE;

use attempt::Attempt;
use commit::uncommitted;
use failure::{died_in_silence, no_op_after_outcome, not_in_plan, send_on, until_ended};
use memo::Remembered;

pub use failure::give_up;

/// Executes tasks with one engine; remembers recent plans and layouts, which never change.
pub struct Worker {
    engine: Arc<dyn Engine>,
    runs: Remembered<Run>,
    plans: Remembered<Plan>,
    layouts: Remembered<Layout>,
}

impl Worker {
    /// One that remembers nothing yet.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self {
            engine,
            runs: Remembered::default(),
            plans: Remembered::default(),
            layouts: Remembered::default(),
        }
    }

    /// Does what a task message asks for.
    ///
    /// # Errors
    /// Only what another delivery may mend; a task that cannot succeed is a failed run.
    pub async fn run_tasks(
        &self,
        cx: &Context,
        message: &TaskMessage,
    ) -> Result<(), ProtocolError> {
        let TaskMessage { run, stage, task, .. } = message;
        if let Some(outcome) = cx.find::<Outcome>(&Key::Outcome(run).to_string()).await? {
            info!(%run, %stage, %task, "the run has ended");
            if cx.repairs() {
                end::finish(cx, &outcome).await?;
            }
            return Ok(());
        }
        let Some((asked, plan, layout)) = self.load(cx, message).await? else {
            return no_op_after_outcome(cx, message).await;
        };
        let stage = plan.stage(*stage).ok_or_else(|| not_in_plan(run, message))?;
        if !cx.kind.executes(stage.worker) {
            // who may not publish has committed the last task
            if !uncommitted(&cx.repairing(), message).await?.is_empty() {
                return Err(not_in_plan(run, message));
            }
            let known = Known::new();
            return advance::advance(cx, &plan, stage, &layout, task.group(), &known).await;
        }
        if message.tasks == 0 || message.task_ids().any(|t| layout.slice(t).is_none()) {
            return Err(not_in_plan(run, message));
        }
        let tiny = message.tasks > 1;
        let attempt = Attempt { cx, job: &asked.job, plan: &plan, stage, layout: &layout, tiny };
        let tasks = uncommitted(cx, message).await?;
        if !tasks.is_empty()
            && let Some(larger) = died_in_silence(cx, message).await?
        {
            return send_on(cx, message, larger).await;
        }
        let attempted = tokio::select! {
            biased;
            attempted = self.attempt_all(&attempt, message, tasks) => attempted,
            ended = until_ended(cx, run) => return ended,
        };
        match attempted {
            Ok(known) => advance::advance(cx, &plan, stage, &layout, task.group(), &known).await,
            Err(failed) => attempt.give_up_or_repeat(message, failed).await,
        }
    }

    async fn load(
        &self,
        cx: &Context,
        message: &TaskMessage,
    ) -> Result<Option<(Arc<Run>, Arc<Plan>, Arc<Layout>)>, ProtocolError> {
        let TaskMessage { run, stage, .. } = message;
        let asked = self.runs.find(cx, Key::Run(run).to_string());
        let plan = self.plans.find(cx, Key::Plan(run).to_string());
        let layout = self.layouts.find(cx, Key::Layout(run, *stage).to_string());
        let (asked, plan, layout) = futures::future::try_join3(asked, plan, layout).await?;
        Ok(asked.zip(plan).zip(layout).map(|((a, p), l)| (a, p, l)))
    }

    /// Executes and commits; after it all tasks have a commit, ours or another's. What is known
    /// of ours need not be read again.
    async fn attempt_all(
        &self,
        attempt: &Attempt<'_>,
        message: &TaskMessage,
        tasks: Vec<TaskId>,
    ) -> Result<Known, ProtocolError> {
        if tasks.is_empty() {
            return Ok(Known::new());
        }
        let work = stream::iter(tasks)
            .map(|task| attempt.run(&*self.engine, task))
            .buffer_unordered(TINY_TASKS_AT_ONCE)
            .try_filter_map(async |known| Ok(known))
            .try_collect();
        // the start record is written while the tasks already run
        let (known, started) = futures::join!(work, attempt.record_start(message.task));
        started?;
        if attempt.tiny {
            info!(first = %message.task, tasks = message.tasks, "tasks committed");
        }
        known
    }
}
