//! One attempt of a task: read committed inputs, execute, commit, advance.
//!
//! The commit is the creation of one object at a key that names the task. A loser of that race
//! discards its own output and still looks whether the stage is whole. The last stage creates its
//! part file first and its commit second, so a commit never names a file that is not there; a
//! part that another attempt left behind is adopted whole, never mixed with ours.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::{debug, info, warn};

use crate::advance;
use crate::bucket::{BucketError, Created};
use crate::committed::{Committed, Known};
use crate::context::{Context, ProtocolError, full_text};
use crate::end;
use crate::engine::{Engine, EngineError, OutputFile, TaskOutput, TaskRequest};
use crate::ids::{JobName, RunId, StageId, TaskId};
use crate::key::Key;
use crate::record::{
    AttemptError, AttemptStart, Commit, Layout, Outcome, Output, Plan, ResultFile, Run, Stage,
    TaskMessage,
};

/// How many files of a table are written at once.
const PARALLEL_WRITES: usize = 8;

/// How many tiny tasks of one message run at once: they mostly wait for the bucket.
const PARALLEL_TASKS: usize = 8;

/// How many plans, and how many layouts, a warm worker remembers.
const REMEMBERED: usize = 8;

/// Executes tasks with one engine; remembers recent plans and layouts, which never change.
pub struct Worker {
    engine: Arc<dyn Engine>,
    runs: Remembered<Run>,
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
        Self { engine, runs: Mutex::default(), plans: Mutex::default(), layouts: Mutex::default() }
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
        if message.tasks == 0 || message.task_ids().any(|t| layout.slice(t).is_none()) {
            return Err(not_in_plan(run, message));
        }
        let tiny = message.tasks > 1;
        let attempt = Attempt { cx, job: &asked.job, plan: &plan, stage, layout: &layout, tiny };
        match self.attempt_all(&attempt, message).await {
            Ok(known) => advance::advance(cx, &plan, stage, &layout, task.group(), &known).await,
            Err((task, ProtocolError::Engine(e))) => {
                give_up_or_repeat(cx, &asked, stage.id, task, e).await
            }
            Err((_, e)) => Err(e),
        }
    }

    async fn load(
        &self,
        cx: &Context,
        message: &TaskMessage,
    ) -> Result<Option<(Arc<Run>, Arc<Plan>, Arc<Layout>)>, ProtocolError> {
        let TaskMessage { run, stage, .. } = message;
        let asked = find(cx, &self.runs, Key::Run(run).to_string());
        let plan = find(cx, &self.plans, Key::Plan(run).to_string());
        let layout = find(cx, &self.layouts, Key::Layout(run, *stage).to_string());
        let (asked, plan, layout) = futures::future::try_join3(asked, plan, layout).await?;
        Ok(asked.zip(plan).zip(layout).map(|((a, p), l)| (a, p, l)))
    }

    /// Executes and commits; after it all tasks have a commit, ours or another's. What is known
    /// of ours need not be read again.
    async fn attempt_all(
        &self,
        attempt: &Attempt<'_>,
        message: &TaskMessage,
    ) -> Result<Known, (TaskId, ProtocolError)> {
        let failed = |e: BucketError| (message.task, e.into());
        let mut tasks: Vec<_> = message.task_ids().collect();
        if attempt.cx.repairs() {
            let committed = committed_tasks(attempt.cx, message).await.map_err(failed)?;
            tasks.retain(|task| !committed.contains(task));
            if tasks.is_empty() {
                return Ok(Known::new());
            }
        }
        let work = stream::iter(tasks)
            .map(async |task| attempt.run(&*self.engine, task).await.map_err(|e| (task, e)))
            .buffer_unordered(PARALLEL_TASKS)
            .try_filter_map(async |known| Ok(known))
            .try_collect();
        // the start record is written while the tasks already run
        let (known, started) = futures::join!(work, attempt.record_start(message.task));
        started.map_err(failed)?;
        if attempt.tiny {
            info!(first = %message.task, tasks = message.tasks, "tasks committed");
        }
        known
    }
}

/// One execution of tasks of a stage.
struct Attempt<'a> {
    cx: &'a Context,
    job: &'a JobName,
    plan: &'a Plan,
    stage: &'a Stage,
    layout: &'a Layout,
    /// Several tasks share the message: not each is worth a line in the log.
    tiny: bool,
}

impl Attempt<'_> {
    /// Runs one task; the key and what is known of its commit, if it is ours.
    async fn run(
        &self,
        engine: &dyn Engine,
        task: TaskId,
    ) -> Result<Option<(String, Committed)>, ProtocolError> {
        let Self { cx, plan, stage, layout, .. } = *self;
        let request = TaskRequest { plan, layout, task };
        let what = format!("task {task} of stage {}", stage.id);
        let output = cx.in_time(&what, engine.execute(&request)).await?;
        let (rows, bytes) = (output.rows(), output.bytes());
        let (created, committed) = match stage.output {
            Output::Exchange { .. } => self.commit_exchange(task, output).await?,
            Output::Result => self.commit_result(task, output).await?,
        };
        let won = created == Created::Now;
        if self.tiny {
            debug!(%task, rows, bytes, won, "task committed");
        } else {
            info!(%task, rows, bytes, won, "task committed");
        }
        let key = Key::Out(&plan.run, stage.id, task).to_string();
        Ok(committed.filter(|_| won).map(|c| (key, c)))
    }

    async fn record_start(&self, first: TaskId) -> Result<(), BucketError> {
        let Self { cx, plan, stage, .. } = *self;
        let key = Key::Attempt(&plan.run, stage.id, first, &cx.attempt).to_string();
        let started = cx.clock.now();
        let start = AttemptStart { started, delivery: cx.delivery, log: cx.log.clone() };
        cx.create(key, start).await?;
        Ok(())
    }

    async fn commit_exchange(
        &self,
        task: TaskId,
        output: TaskOutput,
    ) -> Result<(Created, Option<Committed>), ProtocolError> {
        let Self { cx, plan, stage, .. } = *self;
        let key = Key::Out(&plan.run, stage.id, task).to_string();
        let Some(object) = output.files.into_iter().next() else {
            let run = plan.run.to_string();
            return Err(ProtocolError::NotInPlan { run, what: format!("output of {key}") });
        };
        let rows = [("rows", object.rows.to_string())];
        let created = cx.bucket.create(&key, object.body, &cx.attempt, &rows).await?;
        Ok((created, output.footer.map(Committed::Exchange)))
    }

    async fn commit_result(
        &self,
        task: TaskId,
        output: TaskOutput,
    ) -> Result<(Created, Option<Committed>), ProtocolError> {
        let Self { cx, plan, stage, job, .. } = *self;
        let run = &plan.run;
        let TaskOutput { files, usage, .. } = output;
        let files = match &plan.publication {
            Some(publication) => {
                let files = files.into_iter().map(|file| {
                    let from = Key::File(run, stage.id, task, &cx.attempt, &file.name).to_string();
                    let to = Key::Published(&publication.folder, run, task, &file.name);
                    create_unpublished(cx, from, to.to_string(), file)
                });
                stream::iter(files).buffered(PARALLEL_WRITES).try_collect::<Vec<_>>().await?
            }
            None => {
                let key = Key::Part(job, run, task).to_string();
                let files = files.into_iter().map(|file| create_part(cx, key.clone(), file));
                futures::future::try_join_all(files).await?
            }
        };
        let commit = Commit { attempt: cx.attempt.clone(), files, usage };
        let key = Key::Out(run, stage.id, task).to_string();
        let created = cx.create(key, &commit).await?;
        Ok((created, Some(Committed::Result(commit))))
    }
}

/// Those tasks of a message that have a commit.
async fn committed_tasks(
    cx: &Context,
    message: &TaskMessage,
) -> Result<HashSet<TaskId>, BucketError> {
    let TaskMessage { run, stage, task, tasks } = message;
    let key = |task| Key::Out(run, *stage, task).to_string();
    if *tasks == 1 {
        return Ok(cx.exists(&key(*task)).await?.then_some(*task).into_iter().collect());
    }
    let objects = cx.bucket.list(&Key::out_folder(run, *stage, task.group())).await?;
    let there: HashSet<_> = objects.into_iter().map(|o| o.key).collect();
    Ok(message.task_ids().filter(|task| there.contains(&key(*task))).collect())
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

fn not_in_plan(run: &RunId, message: &TaskMessage) -> ProtocolError {
    let TaskMessage { stage, task, tasks, .. } = message;
    let what = match tasks {
        1 => format!("task {task} of stage {stage}"),
        _ => format!("{tasks} tasks from {task} of stage {stage}"),
    };
    ProtocolError::NotInPlan { run: run.to_string(), what }
}

async fn give_up_or_repeat(
    cx: &Context,
    asked: &Run,
    stage: StageId,
    task: TaskId,
    error: EngineError,
) -> Result<(), ProtocolError> {
    let run = &asked.run;
    if cx.exists(&Key::Outcome(run).to_string()).await? {
        return Ok(()); // what it missed was swept
    }
    if !error.is_retryable() {
        end::fail(cx, run, &asked.job, &error.to_string()).await?;
        return Ok(());
    }
    let text = full_text(&error);
    warn!(%run, %stage, %task, error = %text, "attempt failed");
    let key = format!("{}.error", Key::Attempt(run, stage, task, &cx.attempt));
    cx.create(key, AttemptError { failed: cx.clock.now(), error: text }).await?;
    Err(error.into())
}

/// Ends the run of tasks that were given up by the queue, unless all have a commit after all.
pub async fn give_up(
    cx: &Context,
    message: &TaskMessage,
) -> Result<Option<Outcome>, ProtocolError> {
    let TaskMessage { run, stage, .. } = message;
    let Some(asked) = cx.find::<Run>(&Key::Run(run).to_string()).await? else { return Ok(None) };
    let committed = committed_tasks(cx, message).await?;
    let Some(task) = message.task_ids().find(|task| !committed.contains(task)) else {
        return Ok(None);
    };
    let Words { attempts, error, log } = last_words(cx, message).await?;
    let reason = format!(
        "task {task} of stage {stage} did not end in {attempts} attempts; {error}; its log is {log}"
    );
    end::fail(cx, run, &asked.job, &reason).await.map(Some)
}

/// What the attempts of a message's tasks left behind.
struct Words {
    attempts: u32,
    error: String,
    /// Where the log of the last one is.
    log: String,
}

async fn last_words(cx: &Context, message: &TaskMessage) -> Result<Words, BucketError> {
    let mut objects = vec![];
    for task in message.task_ids() {
        let folder = Key::attempts_folder(&message.run, message.stage, task);
        objects.extend(cx.bucket.list(&folder).await?);
    }
    let mut error = None;
    let mut log = None;
    let mut attempts = 0;
    for object in objects {
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
