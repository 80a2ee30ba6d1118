//! One attempt of a task: read committed inputs, execute, commit, advance.
//!
//! The commit is the creation of one object at a key that names the task. A loser of that race
//! discards its own output and still looks whether the stage is whole. The last stage creates its
//! part file first and its commit second, so a commit never names a file that is not there; a
//! part that another attempt left behind is adopted whole, never mixed with ours.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::{info, warn};

use crate::advance;
use crate::bucket::{BucketError, Created};
use crate::context::{Context, ProtocolError, full_text};
use crate::end;
use crate::engine::{Engine, EngineError, OutputFile, TaskOutput, TaskRequest};
use crate::ids::{StageId, TaskId};
use crate::key::Key;
use crate::record::{
    AttemptError, AttemptStart, Commit, Layout, Outcome, Output, Plan, ResultFile, Run, TaskMessage,
};

/// How many files of a table are written at once.
const PARALLEL_WRITES: usize = 8;

/// How many plans, and how many layouts, a warm worker remembers.
const REMEMBERED: usize = 8;

/// Executes tasks with one engine; remembers recent plans and layouts, which never change.
pub struct Worker {
    engine: Arc<dyn Engine>,
    plans: Remembered<Plan>,
    layouts: Remembered<Layout>,
}

/// Records by their keys, the last first.
type Remembered<T> = Mutex<VecDeque<(String, Arc<T>)>>;

/// A record that is remembered, or is in the bucket.
async fn find<T: serde::de::DeserializeOwned>(
    cx: &Context,
    remembered: &Remembered<T>,
    key: String,
) -> Result<Option<Arc<T>>, BucketError> {
    let lock = || remembered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, found)) = lock().iter().find(|(k, _)| *k == key) {
        return Ok(Some(found.clone()));
    }
    let Some(found) = cx.find::<T>(&key).await? else { return Ok(None) };
    let found = Arc::new(found);
    let mut all = lock();
    all.push_front((key, found.clone()));
    all.truncate(REMEMBERED);
    Ok(Some(found))
}

impl Worker {
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine, plans: Mutex::default(), layouts: Mutex::default() }
    }

    /// Does what a task message asks for.
    ///
    /// # Errors
    /// Only what another delivery may mend; a task that cannot succeed is a failed run.
    pub async fn run_task(&self, cx: &Context, message: &TaskMessage) -> Result<(), ProtocolError> {
        let TaskMessage { run, stage, task } = message;
        if let Some(outcome) = cx.find::<Outcome>(&Key::Outcome(run).to_string()).await? {
            info!(%run, %stage, %task, "the run has ended");
            if cx.repairs() {
                end::finish(cx, &outcome).await?;
            }
            return Ok(());
        }
        let Some((plan, layout)) = self.load(cx, message).await? else {
            return no_op_after_outcome(cx, message).await;
        };
        let out = Key::Out(run, *stage, *task).to_string();
        if cx.repairs() && cx.exists(&out).await? {
            return advance::advance(cx, &plan, &layout, *task).await;
        }
        match self.attempt(cx, &plan, &layout, *task).await {
            Ok(()) => advance::advance(cx, &plan, &layout, *task).await,
            Err(ProtocolError::Engine(e)) => give_up_or_repeat(cx, &plan, message, e).await,
            Err(e) => Err(e),
        }
    }

    async fn load(
        &self,
        cx: &Context,
        message: &TaskMessage,
    ) -> Result<Option<(Arc<Plan>, Arc<Layout>)>, ProtocolError> {
        let TaskMessage { run, stage, .. } = message;
        let plan = find(cx, &self.plans, Key::Plan(run).to_string());
        let layout = find(cx, &self.layouts, Key::Layout(run, *stage).to_string());
        let (plan, layout) = futures::future::try_join(plan, layout).await?;
        Ok(plan.zip(layout))
    }

    /// Executes and commits; after it the task has a commit, ours or another's.
    async fn attempt(
        &self,
        cx: &Context,
        plan: &Plan,
        layout: &Layout,
        task: TaskId,
    ) -> Result<(), ProtocolError> {
        let Some(stage) = plan.stage(layout.stage) else {
            return Err(not_in_plan(plan, &format!("stage {}", layout.stage)));
        };
        if layout.range(task).is_none() {
            return Err(not_in_plan(plan, &format!("task {task} of stage {}", layout.stage)));
        }
        let request = TaskRequest { plan, layout, task };
        let what = format!("task {task} of stage {}", layout.stage);
        // the start record is written while the task already runs
        let (output, started) = futures::join!(
            cx.in_time(&what, self.engine.execute(&request)),
            record_start(cx, plan, layout.stage, task)
        );
        started?;
        let output = output?;
        let (rows, bytes) = (output.rows(), output.bytes());
        let created = match stage.output {
            Output::Exchange { .. } => {
                commit_exchange(cx, plan, layout.stage, task, output).await?
            }
            Output::Result => commit_result(cx, plan, layout.stage, task, output).await?,
        };
        let won = created == Created::Now;
        info!(run = %plan.run, stage = %layout.stage, %task, rows, bytes, won, "task committed");
        Ok(())
    }
}

async fn record_start(
    cx: &Context,
    plan: &Plan,
    stage: StageId,
    task: TaskId,
) -> Result<(), BucketError> {
    let key = Key::Attempt(&plan.run, stage, task, &cx.attempt).to_string();
    let started = cx.clock.now();
    cx.create(key, AttemptStart { started, delivery: cx.delivery, log: cx.log.clone() }).await?;
    Ok(())
}

async fn commit_exchange(
    cx: &Context,
    plan: &Plan,
    stage: StageId,
    task: TaskId,
    output: TaskOutput,
) -> Result<Created, ProtocolError> {
    let key = Key::Out(&plan.run, stage, task).to_string();
    let Some(object) = output.files.into_iter().next() else {
        return Err(not_in_plan(plan, &format!("output of stage {stage}")));
    };
    let rows = [("rows", object.rows.to_string())];
    Ok(cx.bucket.create(&key, object.body, &cx.attempt, &rows).await?)
}

async fn commit_result(
    cx: &Context,
    plan: &Plan,
    stage: StageId,
    task: TaskId,
    output: TaskOutput,
) -> Result<Created, ProtocolError> {
    let TaskOutput { files, usage } = output;
    let files = match &plan.publication {
        Some(publication) => {
            let files = files.into_iter().map(|file| {
                let from = Key::File(&plan.run, stage, task, &cx.attempt, &file.name).to_string();
                let to = Key::Published(&publication.folder, &plan.run, task, &file.name);
                create_unpublished(cx, from, to.to_string(), file)
            });
            stream::iter(files).buffered(PARALLEL_WRITES).try_collect::<Vec<_>>().await?
        }
        None => {
            let run: Run = cx.read(&Key::Run(&plan.run).to_string()).await?;
            let key = Key::Part(&run.job, &plan.run, task).to_string();
            let files = files.into_iter().map(|file| create_part(cx, key.clone(), file));
            futures::future::try_join_all(files).await?
        }
    };
    let commit = Commit { attempt: cx.attempt.clone(), files, usage };
    Ok(cx.create(Key::Out(&plan.run, stage, task).to_string(), commit).await?)
}

/// Creates a file under the attempt's own prefix, from where it is published after the outcome.
async fn create_unpublished(
    cx: &Context,
    from: String,
    key: String,
    file: OutputFile,
) -> Result<ResultFile, BucketError> {
    let OutputFile { body, rows, bytes, .. } = file;
    cx.bucket.create(&from, body, &cx.attempt, &[]).await?;
    Ok(ResultFile { key, from: Some(from), rows, bytes })
}

/// Creates a part of the result, or adopts the one that another attempt left.
async fn create_part(
    cx: &Context,
    key: String,
    file: OutputFile,
) -> Result<ResultFile, BucketError> {
    let OutputFile { body, rows, bytes, .. } = file;
    let metadata = [("rows", rows.to_string())];
    if cx.bucket.create(&key, body, &cx.attempt, &metadata).await? == Created::Now {
        return Ok(ResultFile { key, from: None, rows, bytes });
    }
    let Some(theirs) = cx.bucket.head(&key).await? else {
        return Err(BucketError::NotFound { key });
    };
    let rows = theirs.metadata("rows").and_then(|r| r.parse().ok()).unwrap_or(rows);
    Ok(ResultFile { key, from: None, rows, bytes: theirs.info.size })
}

/// A missing plan or layout after an outcome is no error; before one, the message is from nowhere.
async fn no_op_after_outcome(cx: &Context, message: &TaskMessage) -> Result<(), ProtocolError> {
    if cx.exists(&Key::Outcome(&message.run).to_string()).await? {
        return Ok(());
    }
    let what = format!("layout of stage {}", message.stage);
    Err(ProtocolError::NotInPlan { run: message.run.to_string(), what })
}

fn not_in_plan(plan: &Plan, what: &str) -> ProtocolError {
    ProtocolError::NotInPlan { run: plan.run.to_string(), what: what.into() }
}

async fn give_up_or_repeat(
    cx: &Context,
    plan: &Plan,
    message: &TaskMessage,
    error: EngineError,
) -> Result<(), ProtocolError> {
    let (run, stage, task) = (&message.run, message.stage, message.task);
    if cx.exists(&Key::Outcome(run).to_string()).await? {
        return Ok(()); // what it missed was swept
    }
    if !error.is_retryable() {
        let asked: Run = cx.read(&Key::Run(&plan.run).to_string()).await?;
        end::fail(cx, run, &asked.job, &error.to_string()).await?;
        return Ok(());
    }
    let text = full_text(&error);
    warn!(%run, %stage, %task, error = %text, "attempt failed");
    let key = format!("{}.error", Key::Attempt(run, stage, task, &cx.attempt));
    cx.create(key, AttemptError { failed: cx.clock.now(), error: text }).await?;
    Err(error.into())
}

/// Ends the run of a task that was given up by the queue, unless the task has a commit after all.
pub async fn give_up(
    cx: &Context,
    message: &TaskMessage,
) -> Result<Option<Outcome>, ProtocolError> {
    let TaskMessage { run, stage, task } = message;
    let Some(asked) = cx.find::<Run>(&Key::Run(run).to_string()).await? else { return Ok(None) };
    if cx.exists(&Key::Out(run, *stage, *task).to_string()).await? {
        return Ok(None);
    }
    let Words { attempts, error, log } = last_words(cx, message).await?;
    let reason = format!(
        "task {task} of stage {stage} did not end in {attempts} attempts; {error}; its log is {log}"
    );
    end::fail(cx, run, &asked.job, &reason).await.map(Some)
}

/// What the attempts of a task left behind.
struct Words {
    attempts: u32,
    error: String,
    /// Where the log of the last one is.
    log: String,
}

async fn last_words(cx: &Context, message: &TaskMessage) -> Result<Words, BucketError> {
    let folder = format!("work/{}/attempts/{}/{:06}/", message.run, message.stage, message.task.0);
    let mut error = None;
    let mut log = None;
    let mut attempts = 0;
    for object in cx.bucket.list(&folder).await? {
        if object.key.ends_with(".error") {
            let found: AttemptError = cx.read(&object.key).await?;
            error = error.max(Some((found.failed, found.error)));
        } else {
            let found: AttemptStart = cx.read(&object.key).await?;
            attempts += 1;
            log = log.max(Some((found.started, found.log)));
        }
    }
    let error = error.map_or_else(
        || "it left no error: its process was killed or ran out of time".to_owned(),
        |(_, e)| format!("the last error: {e}"),
    );
    let log = log.map_or_else(|| "unknown".into(), |(_, l)| l);
    Ok(Words { attempts, error, log })
}
