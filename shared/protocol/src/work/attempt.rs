//! One execution of tasks of a stage.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::{debug, info};

use super::commit::PARALLEL_WRITES;
use crate::METRICS;
use crate::bucket::{Body, BucketError, Created, NewObject};
use crate::committed::Committed;
use crate::context::{Context, ProtocolError};
use crate::engine::{Engine, TaskOutput, TaskRequest};
use crate::ids::{JobName, TaskId};
use crate::key::Key;
use crate::record::{AttemptStart, Layout, Output, Plan, RejectedPart, Stage};

/// What an execution of tasks needs to know.
pub(super) struct Attempt<'a> {
    pub(super) cx: &'a Context,
    pub(super) job: &'a JobName,
    pub(super) plan: &'a Plan,
    pub(super) stage: &'a Stage,
    pub(super) layout: &'a Layout,
    /// Several tasks share the message: not each is worth a line in the log.
    pub(super) tiny: bool,
}

impl Attempt<'_> {
    /// Runs one task; the key and what is known of its commit, if it is ours.
    pub(super) async fn run(
        &self,
        engine: &dyn Engine,
        task: TaskId,
    ) -> Result<Option<(String, Committed)>, ProtocolError> {
        let Self { cx, plan, stage, layout, .. } = *self;
        let started = cx.clock.now();
        let request = TaskRequest {
            job: self.job,
            plan,
            layout,
            task,
            kind: cx.kind,
            attempt: &cx.attempt,
            time_left: cx.time_left,
        };
        let what = format!("task {task} of stage {}", stage.id);
        let output = cx.in_time(&what, engine.execute(&request)).await?;
        let (rows, bytes) = (output.rows(), output.bytes());
        self.set_aside(&output).await?;
        let (created, committed) = match stage.output {
            Output::Exchange { .. } => self.commit_exchange(task, output).await?,
            Output::Result => self.commit_result(task, output).await?,
        };
        let won = created == Created::Now;
        let seconds = (cx.clock.now() - started).as_seconds_f64();
        if won {
            info!(target: METRICS, Tasks = 1, Rows = rows, Bytes = bytes, Seconds = seconds);
        }
        if self.tiny {
            debug!(%task, rows, bytes, won, "task committed");
        } else {
            info!(%task, rows, bytes, won, "task committed");
        }
        let key = Key::Out(&plan.run, stage.id, task).to_string();
        Ok(committed.filter(|_| won).map(|c| (key, c)))
    }

    /// Creates the objects of lines that could not be read: before the commit, so that whoever ends
    /// the run finds them. Another attempt makes the same.
    async fn set_aside(&self, output: &TaskOutput) -> Result<(), BucketError> {
        let Self { cx, plan, job, .. } = *self;
        let create = |(part, lines): &(RejectedPart, Bytes)| {
            let key = Key::Rejects(job, &plan.run, *part).to_string();
            let body = Body::Bytes(lines.clone());
            async move { cx.bucket.create(NewObject::new(&key, body, &cx.attempt)).await }
        };
        let creations: Vec<_> = output.rejects.iter().map(create).collect();
        stream::iter(creations).buffer_unordered(PARALLEL_WRITES).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    pub(super) async fn record_start(&self, first: TaskId) -> Result<(), BucketError> {
        let Self { cx, plan, stage, .. } = *self;
        let key = Key::Attempt(&plan.run, stage.id, first, &cx.attempt).to_string();
        let started = cx.clock.now();
        let (delivery, message, log) = (cx.delivery, cx.message.clone(), cx.log.clone());
        cx.create(key, AttemptStart { started, delivery, message, log }).await?;
        Ok(())
    }
}
