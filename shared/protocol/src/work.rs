//! One attempt of a task: read committed inputs, execute, commit, advance.
//!
//! The commit is the creation of one object at a key that names the task. A loser of that race
//! discards its own output and still looks whether the stage is whole. The last stage creates its
//! part file first and its commit second, so a commit never names a file that is not there; a
//! part that another attempt left behind is adopted whole, never mixed with ours.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::{debug, info, warn};

use crate::METRICS;
use crate::advance;
use crate::bucket::{Body, BucketError, Created};
use crate::committed::{Committed, Known};
use crate::context::{Context, ProtocolError, full_text};
use crate::end;
use crate::engine::{Engine, EngineError, OutputFile, TaskOutput, TaskRequest};
use crate::ids::{JobName, RunId, TaskId};
use crate::key::Key;
use crate::queue::WorkerSize;
use crate::record::{
    AttemptError, AttemptStart, Commit, Layout, Outcome, Output, Plan, RejectedPart, ResultFile,
    Run, Stage, TaskMessage,
};
use crate::tuning::TINY_TASKS_AT_ONCE;

/// How many files of a table, or objects of rejects, are written at once.
const PARALLEL_WRITES: usize = 8;

/// How often a worker looks whether its run has ended.
const OUTCOME_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How many plans, and how many layouts, a warm worker remembers.
const REMEMBERED_RECORDS_MAX: usize = 8;

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
    all.truncate(REMEMBERED_RECORDS_MAX);
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
        let tasks = uncommitted(cx, message).await?;
        if !tasks.is_empty() && died_in_silence(cx, message).await? {
            return send_on(cx, message).await;
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
        let started = cx.clock.now();
        let request = TaskRequest { plan, layout, task, size: cx.size };
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
            async move { cx.bucket.create(&key, body, &cx.attempt, &[]).await }
        };
        let creations: Vec<_> = output.rejects.iter().map(create).collect();
        stream::iter(creations).buffer_unordered(PARALLEL_WRITES).try_collect::<Vec<_>>().await?;
        Ok(())
    }

    async fn record_start(&self, first: TaskId) -> Result<(), BucketError> {
        let Self { cx, plan, stage, .. } = *self;
        let key = Key::Attempt(&plan.run, stage.id, first, &cx.attempt).to_string();
        let started = cx.clock.now();
        let (delivery, message, log) = (cx.delivery, cx.message.clone(), cx.log.clone());
        cx.create(key, AttemptStart { started, delivery, message, log }).await?;
        Ok(())
    }

    /// What follows a failed attempt: another one, one with more memory, or the end of the run.
    async fn give_up_or_repeat(
        &self,
        message: &TaskMessage,
        failed: ProtocolError,
    ) -> Result<(), ProtocolError> {
        let Self { cx, plan, stage, .. } = *self;
        if cx.exists(&Key::Outcome(&plan.run).to_string()).await? {
            return Ok(()); // what it missed was swept
        }
        let text = full_text(&failed);
        warn!(error = %text, "attempt failed");
        info!(target: METRICS, FailedAttempts = 1);
        match &failed {
            ProtocolError::Engine(EngineError::OutOfMemory(_)) if cx.size == WorkerSize::Normal => {
                return send_on(cx, message).await;
            }
            ProtocolError::Engine(e) if !e.is_retryable() => {
                end::fail(cx, &plan.run, self.job, &e.to_string()).await?;
                return Ok(());
            }
            _ => {}
        }
        let key = format!("{}.error", Key::Attempt(&plan.run, stage.id, message.task, &cx.attempt));
        cx.create(key, AttemptError { failed: cx.clock.now(), error: text }).await?;
        Err(failed)
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

/// Those tasks of a message that have no commit; a first delivery does not look.
async fn uncommitted(cx: &Context, message: &TaskMessage) -> Result<Vec<TaskId>, BucketError> {
    let TaskMessage { run, stage, task, tasks } = message;
    let key = |task| Key::Out(run, *stage, task).to_string();
    if !cx.repairs() {
        return Ok(message.task_ids().collect());
    }
    if *tasks == 1 {
        let is_there = cx.exists(&key(*task)).await?;
        return Ok((!is_there).then_some(*task).into_iter().collect());
    }
    let objects = cx.bucket.list(&Key::out_folder(run, *stage, task.group())).await?;
    let there: HashSet<_> = objects.into_iter().map(|o| o.key).collect();
    Ok(message.task_ids().filter(|task| !there.contains(&key(*task))).collect())
}

/// Whether earlier deliveries of a message were killed, most likely for their memory: what fails or
/// runs out of time says so. One death may be the machine's.
async fn died_in_silence(cx: &Context, message: &TaskMessage) -> Result<bool, BucketError> {
    if cx.delivery < 3 || cx.size == WorkerSize::Large {
        return Ok(false);
    }
    Ok(last_words(cx, message).await?.silent >= 2)
}

/// Sends tasks on to a large worker. A repetition costs an attempt, and no more.
async fn send_on(cx: &Context, message: &TaskMessage) -> Result<(), ProtocolError> {
    let TaskMessage { run, stage, task, .. } = message;
    warn!(tasks = message.tasks, "sent on to a large worker");
    cx.queue.send(WorkerSize::Large, std::slice::from_ref(message)).await?;
    // else the attempts of this message would look alive when the other one dies
    cx.mark(Key::Dead(run, *stage, *task, &cx.message).to_string()).await?;
    Ok(())
}

/// Waits until somebody has ended the run: then what its tasks do is for nothing.
async fn until_ended(cx: &Context, run: &RunId) -> Result<(), ProtocolError> {
    loop {
        cx.clock.sleep(OUTCOME_LOOK_INTERVAL).await;
        if cx.exists(&Key::Outcome(run).to_string()).await? {
            info!("the run has ended before its task");
            return Ok(());
        }
    }
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
