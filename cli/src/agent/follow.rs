use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tidemill_protocol::bucket::Bucket;
use tidemill_protocol::calls::{CallOutcome, CallRecord, PackIndex, read_index};
use tidemill_protocol::record::{Outcome, ResultFile, Status};
use tidemill_protocol::{Key, context};

use super::Answers;
use super::session::{Asking, Job, Session, UNNOTICED};

/// The time between two looks at a run, at first, and how it grows while nothing is new.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LOOK_GROWTH: f64 = 1.2;

/// The longest, on this machine and in a deployment, where a look costs $0.000005.
const LOCAL_LOOK_MAX: Duration = Duration::from_millis(50);
const REMOTE_LOOK_MAX: Duration = Duration::from_secs(1);

/// Parts that are read at once.
const PARALLEL_READS: usize = 8;

/// The times at which a run is looked at.
struct Looks {
    wait: Duration,
    most: Duration,
}

impl Looks {
    fn at(session: &Session) -> Self {
        let most = if session.is_local() { LOCAL_LOOK_MAX } else { REMOTE_LOOK_MAX };
        Self { wait: FIRST_LOOK, most }
    }

    /// Until the next one.
    async fn wait(&mut self, is_news: bool) {
        let next = self.wait.mul_f64(LOOK_GROWTH).min(self.most);
        self.wait = if is_news { FIRST_LOOK } else { next };
        tokio::time::sleep(self.wait).await;
    }
}

/// Whether a key tells how a run has ended.
fn is_end(key: &str) -> bool {
    key.ends_with("/_SUCCESS") || key.ends_with("/_FAILED")
}

/// Waits for the end of a job's only run.
pub(super) async fn outcome(session: &Session, job: &Job) -> anyhow::Result<Outcome> {
    let mut looks = Looks::at(session);
    let folder = Key::result_folder(&job.name, &job.run);
    let since = std::time::Instant::now();
    loop {
        let objects = session.bucket().list(&folder).await?;
        if objects.is_empty() && since.elapsed() > UNNOTICED {
            session.check_noticed(&job.run).await?;
        }
        if let Some(end) = objects.iter().find(|object| is_end(&object.key)) {
            let outcome = context::find(session.bucket(), &end.key).await?;
            return outcome.with_context(|| format!("{} has disappeared", end.key));
        }
        looks.wait(false).await;
    }
}

/// Tells of what the calls of a job come to.
pub(super) struct Following<'a> {
    session: &'a Session,
    answers: &'a Answers,
    job: Job,
    told: HashSet<String>,
}

impl<'a> Following<'a> {
    pub(super) fn new(session: &'a Session, answers: &'a Answers, job: Job) -> Self {
        Self { session, answers, job, told: HashSet::new() }
    }

    /// Tells of each part once, and last of how the run has ended.
    pub(super) async fn tell_all(mut self) -> anyhow::Result<()> {
        let since = std::time::Instant::now();
        let mut looks = Looks::at(self.session);
        self.name().await;
        let folder = Key::result_folder(&self.job.name, &self.job.run);
        let mut is_noticed = false;
        loop {
            let objects = self.session.bucket().list(&folder).await?;
            let keys: Vec<String> = objects.into_iter().map(|o| o.key).collect();
            is_noticed |= !keys.is_empty();
            if !is_noticed && since.elapsed() > UNNOTICED {
                self.session.check_noticed(&self.job.run).await?;
                is_noticed = true;
            }
            let parts: Vec<String> =
                keys.iter().filter(|k| k.ends_with(Key::CALLS_PART)).cloned().collect();
            let is_news = self.tell(parts).await?;
            if let Some(end) = keys.iter().find(|key| is_end(key)) {
                return self.end(end).await;
            }
            looks.wait(is_news).await;
        }
    }

    /// Says which run it is.
    async fn name(&self) {
        let Job { run, count, work, .. } = &self.job;
        let has_values = *work == Asking::Values;
        let head = json!({ "run": run, "count": count, "has_values": has_values });
        self.answers.send("started", head, vec![]).await;
    }

    /// Tells of parts that have not been told of.
    async fn tell(&mut self, mut parts: Vec<String>) -> anyhow::Result<bool> {
        parts.retain(|key| !self.told.contains(key));
        let reads: Vec<_> = parts.iter().map(|key| self.read(key)).collect();
        let mut reads = stream::iter(reads).buffered(PARALLEL_READS);
        while let Some((head, body)) = reads.try_next().await? {
            self.answers.send("calls", head, body).await;
        }
        drop(reads);
        let is_news = !parts.is_empty();
        self.told.extend(parts);
        Ok(is_news)
    }

    fn file(&self, file: &ResultFile) -> Value {
        let ResultFile { key, rows, bytes, .. } = file;
        let path = self.session.local_file(key);
        json!({ "key": key, "rows": rows, "bytes": bytes, "path": path })
    }

    async fn read(&self, key: &str) -> anyhow::Result<(Value, Vec<Bytes>)> {
        if self.job.work == Asking::Table {
            let (_, index) = read_index(self.session.bucket(), &self.job.run, key).await?;
            let returned = |r: &CallRecord| matches!(r.outcome, CallOutcome::Returned { .. });
            if index.records.iter().all(returned) {
                let body = vec![Bytes::new(); index.len()];
                return Ok((json!({ "first": index.first, "calls": index.records }), body));
            }
        }
        let bytes = self.session.bucket().get(key, None).await?.bytes;
        let index = PackIndex::decode(&bytes, bytes.len() as u64);
        let index = index.with_context(|| format!("{key} cannot be read"))?;
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let body = index.offsets.windows(2).map(|ends| bytes.slice(at(ends[0])..at(ends[1])));
        let body = body.collect();
        Ok((json!({ "first": index.first, "calls": index.records }), body))
    }

    /// Tells how the run has ended, after all parts that its outcome names.
    async fn end(mut self, marker: &str) -> anyhow::Result<()> {
        let outcome: Option<Outcome> = context::find(self.session.bucket(), marker).await?;
        let outcome = outcome.with_context(|| format!("{marker} has disappeared"))?;
        let parts = outcome.files.iter().map(|f| f.key.clone());
        let parts = parts.filter(|key| key.ends_with(Key::CALLS_PART)).collect();
        self.tell(parts).await?;
        let cause = outcome.reason.as_deref().and_then(cause);
        let mut head = json!({
            "run": outcome.run,
            "cause": cause,
            "status": outcome.status.as_str(),
            "reason": outcome.reason.filter(|_| outcome.status != Status::Succeeded),
            "cost_usd": outcome.actual.map(|actual| actual.cost_usd),
            "seconds": outcome.seconds,
        });
        if self.job.work == Asking::Rows {
            head["rows"] = outcome.rows.into();
            head["bytes"] = outcome.bytes.into();
            head["into"] = json!(outcome.into);
            head["files"] = outcome.files.iter().map(|file| self.file(file)).collect();
        }
        self.answers.send("ended", head, vec![]).await;
        Ok(())
    }
}

/// What a reason is about, by what its sentence names: the option, or the remedy.
pub(super) fn cause(reason: &str) -> Option<&'static str> {
    // what the exception of a call says is its own
    let names = |text: &str| !reason.starts_with("call ") && reason.contains(text);
    if names("see the option max_cost_usd") {
        return Some("cost");
    }
    (names("use the same minor version") || names("env=tidemill.Env")).then_some("environment")
}
