use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::calls::{CallPlan, ContentName};
use tidemill_protocol::job::Work;
use tidemill_protocol::record::{Plan, Run};
use tidemill_protocol::{JobName, Key, RunId, context};

use super::temporary_folder;
use crate::client::{Client, Target};
use crate::local;
use crate::submit::cancel;

/// How many calls are to be under way at once in a deployment: the template's default concurrency.
const CONCURRENCY: usize = 100;

/// Shared objects that are older are stored again: the bucket keeps them for two weeks, and a run lasts at
/// most six days.
const RENEWED_AFTER: TimeDelta = TimeDelta::days(7);

/// How long a run may take to be there after its job.
pub(super) const UNNOTICED: Duration = Duration::from_secs(120);

/// The tag of a deployment's bucket with the runtime of its Python workers: `python3.13`.
const PYTHON_TAG: &str = "tidemill:python";

/// Which deployment is meant.
#[derive(Debug, Deserialize)]
pub(super) struct Opening {
    /// Of a deployment; else an emulator in this process.
    #[serde(default)]
    bucket: Option<String>,
    /// Of the emulator's buckets; else one that ends with it.
    #[serde(default)]
    folder: Option<PathBuf>,
    /// The interpreter of the emulator's calls.
    python: PathBuf,
    /// Where that finds modules.
    #[serde(default)]
    path: Vec<PathBuf>,
    #[serde(default)]
    workers: Option<usize>,
    /// Of the interpreter that asks: `3.13.1`.
    version: String,
}

/// A deployment, and what this process knows of it.
pub(super) struct Session {
    client: Client,
    concurrency: usize,
    /// Of the interpreter that asks.
    pub(super) version: String,
    /// Objects that are known to be in the bucket.
    stored: Mutex<HashSet<ContentName>>,
    /// By the requests that ask for them.
    jobs: Mutex<HashMap<u64, Asked>>,
    /// Why its workers cannot read what the interpreter that asks has pickled.
    unfit: Option<String>,
    /// Where the emulator keeps the bucket's objects.
    local_folder: Option<PathBuf>,
    /// The emulator's, if it ends with this process.
    _folder: Option<tempfile::TempDir>,
}

/// What has become of a request.
enum Asked {
    /// It is to end, and its job is not there yet.
    Cancelled,
    Job(Job),
}

/// A job whose run is followed.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) name: JobName,
    pub(super) run: RunId,
    /// How many calls it has.
    pub(super) count: u64,
    pub(super) work: Asking,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Calls, and their values.
    Values,
    /// Calls whose values become part of a table, and do not come here.
    Table,
    /// The rows of a statement.
    Rows,
}

impl Session {
    pub(super) async fn open(opening: &Opening) -> anyhow::Result<Self> {
        if let Some(bucket) = &opening.bucket {
            let target = Target { local: None, bucket: Some(bucket.clone()) };
            let client = Client::open(&target).await?;
            let runtime = client.bucket.tag(PYTHON_TAG).await;
            let checked = runtime.map(|runtime| check_python(bucket, &runtime, &opening.version));
            let session = Self::new(client, CONCURRENCY, (None, None), opening);
            let unfit = checked.and_then(Result::err).map(|why| why.to_string());
            return Ok(Self { unfit, ..session });
        }
        let (path, folder) = match &opening.folder {
            Some(path) => (path.clone(), None),
            None => {
                let (path, folder) = temporary_folder()?;
                (path, Some(folder))
            }
        };
        let local = local::start_quietly(&path, opening.workers, &opening.python, &opening.path);
        let local = local.await?;
        let concurrency = local.workers();
        let client = Client::of_local(local).await?;
        Ok(Self::new(client, concurrency, (Some(path), folder), opening))
    }

    fn new(
        client: Client,
        concurrency: usize,
        (path, folder): (Option<PathBuf>, Option<tempfile::TempDir>),
        opening: &Opening,
    ) -> Self {
        let (stored, jobs) = (Mutex::default(), Mutex::default());
        let version = opening.version.clone();
        let local_folder = path.map(|path| path.join(client.bucket.name()));
        let unfit = None;
        Self { client, concurrency, version, stored, jobs, unfit, local_folder, _folder: folder }
    }

    pub(super) fn describe(&self) -> Value {
        json!({
            "bucket": self.bucket().name(),
            "local": self.is_local(),
            "concurrency": self.concurrency,
            "unfit": self.unfit,
        })
    }

    pub(super) fn bucket(&self) -> &S3Bucket {
        &self.client.bucket
    }

    pub(super) fn is_local(&self) -> bool {
        self.client.local.is_some()
    }

    /// The file of an object, if it is one on this machine.
    pub(super) fn local_file(&self, key: &str) -> Option<PathBuf> {
        let file = self.local_folder.as_ref()?.join(key);
        file.is_file().then_some(file)
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job that a request asks for is there; it is ended at once, if that was asked for before.
    pub(super) async fn follow(&self, request: u64, job: &Job) -> anyhow::Result<()> {
        match self.jobs().insert(request, Asked::Job(job.clone())) {
            Some(Asked::Cancelled) => {}
            _ => return Ok(()),
        }
        cancel(self.bucket(), &job.run).await
    }

    /// Asks for the end of what a request has asked for, or will.
    pub(super) async fn cancel(&self, request: u64) -> anyhow::Result<()> {
        let job = match self.jobs().entry(request).or_insert(Asked::Cancelled) {
            Asked::Job(job) => job.clone(),
            Asked::Cancelled => return Ok(()),
        };
        cancel(self.bucket(), &job.run).await
    }

    /// Stores an object by its content, if it is not there, or not for long enough.
    pub(super) async fn store(&self, name: &ContentName, bytes: Bytes) -> anyhow::Result<()> {
        let stored = || self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if stored().contains(name) {
            return Ok(());
        }
        let key = Key::shared_object(name);
        let found = self.bucket().head(&key).await?;
        let is_fresh = |modified| Utc::now() - modified < RENEWED_AFTER;
        if !found.is_some_and(|found| is_fresh(found.info.modified)) {
            self.bucket().put(&key, bytes, &[]).await?;
        }
        stored().insert(name.clone());
        Ok(())
    }

    /// # Errors
    /// No planner has begun a run that has been asked for long ago.
    pub(super) async fn check_noticed(&self, run: &RunId) -> anyhow::Result<()> {
        if self.bucket().head(&Key::Run(run).to_string()).await?.is_some() {
            return Ok(());
        }
        let (bucket, seconds) = (self.bucket().name(), UNNOTICED.as_secs());
        bail!(
            "no planner has noticed run {run} within {seconds} s: is {bucket} the bucket of a deployment?"
        )
    }

    /// The job of a run of calls that is there.
    pub(super) async fn job_of(&self, run: &RunId) -> anyhow::Result<Job> {
        let found: Option<Run> = context::find(self.bucket(), &Key::Run(run).to_string()).await?;
        let bucket = self.bucket().name();
        let found = found.with_context(|| format!("there is no run {run} in bucket {bucket}"))?;
        let Some(spec) = found.spec.filter(|spec| matches!(spec.work, Work::Calls(_))) else {
            bail!("run {run} is no run of calls");
        };
        let plan: Option<Plan> = context::find(self.bucket(), &Key::Plan(run).to_string()).await?;
        let count = match plan {
            Some(plan) => CallPlan::of(&plan)?.count,
            None => 0,
        };
        let work = if spec.into.is_some() { Asking::Table } else { Asking::Values };
        Ok(Job { name: found.job, run: run.clone(), count, work })
    }

    pub(super) async fn close(self: std::sync::Arc<Self>) {
        if let Ok(session) = std::sync::Arc::try_unwrap(self) {
            session.client.close().await;
        }
    }
}

/// # Errors
/// What one minor version of Python pickles is not to be read by another.
fn check_python(bucket: &str, runtime: &str, ours: &str) -> anyhow::Result<()> {
    let theirs = runtime.strip_prefix("python").unwrap_or(runtime);
    let minor: Vec<_> = ours.split('.').take(2).collect();
    if minor.join(".") == theirs {
        return Ok(());
    }
    bail!(
        "this is Python {ours}, and the workers of bucket {bucket} have {theirs}: use the same minor version on \
         both sides, here or by deploying with PythonRuntime=python{}",
        minor.join(".")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_minor_version_is_asked_for() {
        check_python("b", "python3.13", "3.13.1").expect("the same");
        let why = check_python("b", "python3.13", "3.11.9").expect_err("another").to_string();
        assert!(why.contains("3.11.9") && why.contains("PythonRuntime=python3.11"), "{why}");
    }
}
