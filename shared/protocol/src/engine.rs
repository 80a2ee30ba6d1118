use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::bucket::Body;
use crate::cost::Workers;
use crate::ids::{AttemptId, JobName, RunId, TaskId};
use crate::job::JobSpec;
use crate::queue::WorkerKind;
use crate::record::{Footer, Layout, PinnedObject, Plan, Preview, RejectedPart, ResultFile, Usage};

/// The seam to the computation, before tasks: what a job is cut into.
#[async_trait]
pub trait Planner: Send + Sync {
    /// Pins the inputs of a job and cuts it into stages.
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError>;
}

/// The seam to the computation: the protocol moves tasks, the engine knows what they do.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Executes one task and returns what it made: an exchange object with its footer, a part of
    /// the result, or any number of files of a table.
    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError>;
}

/// What is to be planned.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    pub run: &'a RunId,
    pub spec: &'a JobSpec,
    /// The table `input` of a pipeline.
    pub input: Option<&'a PinnedObject>,
    /// `now()` in the SQL.
    pub now: DateTime<Utc>,
    /// What its tasks will run on.
    pub workers: Workers,
}

/// What is to be executed.
#[derive(Debug, Clone, Copy)]
pub struct TaskRequest<'a> {
    pub job: &'a JobName,
    pub plan: &'a Plan,
    pub layout: &'a Layout,
    pub task: TaskId,
    /// What it runs on.
    pub kind: WorkerKind,
    /// Marks what the execution creates itself.
    pub attempt: &'a AttemptId,
    /// How long it may take.
    pub time_left: Duration,
}

/// What a task made.
#[derive(Debug)]
pub struct TaskOutput {
    /// One, unless the task writes into a table.
    pub files: Vec<OutputFile>,
    /// Parts of the result that are there already: of a task that makes several, one after another.
    pub created: Vec<ResultFile>,
    pub usage: Usage,
    /// Of an exchange object, so that it need not be read again.
    pub footer: Option<Footer>,
    /// Objects with the lines of its inputs that could not be read.
    pub rejects: Vec<(RejectedPart, Bytes)>,
    /// Of the first task that makes a result.
    pub preview: Option<Preview>,
}

/// An object that is still to be committed.
#[derive(Debug)]
pub struct OutputFile {
    /// In a table: unique among the task's files, with the folders of its partition, e.g.
    /// `year=2024/000.parquet`.
    pub name: String,
    pub body: Body,
    pub rows: u64,
    /// Bytes of the body.
    pub bytes: u64,
}

impl TaskOutput {
    /// An exchange object of `bytes` bytes.
    pub fn exchange(body: Body, bytes: u64, footer: Footer) -> Self {
        let (rows, usage) = (footer.rows, footer.usage);
        let files = vec![OutputFile { name: String::new(), body, rows, bytes }];
        Self { footer: Some(footer), ..Self::files(files, usage) }
    }

    /// A part of the result, or files of a table.
    pub fn files(files: Vec<OutputFile>, usage: Usage) -> Self {
        Self { files, created: vec![], usage, footer: None, rejects: vec![], preview: None }
    }

    /// Parts of the result that the execution has created itself.
    pub fn created(created: Vec<ResultFile>, usage: Usage) -> Self {
        Self { created, ..Self::files(vec![], usage) }
    }

    /// The same output, with the lines of its input that could not be read.
    #[must_use]
    pub fn with_rejects(self, rejects: Vec<(RejectedPart, Bytes)>) -> Self {
        Self { rejects, ..self }
    }

    /// The same output, with its first rows.
    #[must_use]
    pub fn with_preview(self, preview: Option<Preview>) -> Self {
        Self { preview, ..self }
    }

    /// Of all files.
    pub fn rows(&self) -> u64 {
        let created = self.created.iter().map(|f| f.rows);
        self.files.iter().map(|f| f.rows).chain(created).sum()
    }

    /// Of all files.
    pub fn bytes(&self) -> u64 {
        let created = self.created.iter().map(|f| f.bytes);
        self.files.iter().map(|f| f.bytes).chain(created).sum()
    }
}

/// Why the engine has no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It will fail again; the sentence says what, on which object and what to do.
    #[error("{0}")]
    Refused(String),
    /// It may work where there is more memory; the sentence says what was too large.
    #[error("{0}")]
    OutOfMemory(String),
    /// There was no time for the rest; what has been done is kept, and another execution goes on from it.
    #[error("{0}")]
    Unfinished(String),
    /// An input is no longer the version that the plan pinned.
    #[error("{key} changed while run {run} was reading it: drop the job again")]
    InputChanged { run: RunId, key: String },
    /// An input, or an exchange, is gone.
    #[error("{key} was deleted while run {run} was reading it")]
    InputMissing { run: RunId, key: String },
    /// It may work next time: the store or the machine failed.
    #[error("{what}")]
    Transient {
        what: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl EngineError {
    /// Whether another attempt may succeed without more memory.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}
