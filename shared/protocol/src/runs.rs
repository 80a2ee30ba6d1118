//! The runs of a bucket, the newest first, by the keys that list them.

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, BucketError};
use crate::context::find;
use crate::ids::{JobName, RunId};
use crate::key::Key;
use crate::record::{Outcome, Run};
use crate::status::RunState;

/// Keys of one LIST request.
const PAGE_KEYS: usize = 1000;

/// Records that are read at once.
const PARALLEL_READS: usize = 32;

/// Keys that are looked at for one page: a filter that hardly any run passes must not read the bucket.
const LOOKED_AT_MAX: usize = 20_000;

/// Records that are read for one page.
const READ_MAX: usize = 1_000;

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    pub run: RunId,
    pub job: JobName,
    pub state: RunState,
    pub created: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// From the upload to the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
    /// Of a run that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Some of the runs, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunsPage {
    pub runs: Vec<RunSummary>,
    /// What to ask the next page by, if there may be one; this one may have no run and there be others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which runs are asked for.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    pub job: Option<JobName>,
    /// Any of these; all, if there are none.
    pub states: Vec<RunState>,
}

impl RunFilter {
    fn takes(&self, found: &RunSummary) -> bool {
        // a job file that takes up a run of another name is known by its own name, too
        let is_of_job =
            self.job.as_ref().is_none_or(|job| found.job == *job || found.run.is_of(job));
        is_of_job && (self.states.is_empty() || self.states.contains(&found.state))
    }

    /// Whether a run may be one by its id: that of a retry says so before the name.
    fn may_take(&self, run: &RunId) -> bool {
        self.job.as_ref().is_none_or(|job| run.may_be_of(job))
    }
}

/// At most `limit` runs that come after a cursor, which an earlier page gave.
///
/// # Errors
/// The bucket cannot be read.
pub async fn runs(
    bucket: &dyn Bucket,
    filter: &RunFilter,
    limit: usize,
    cursor: Option<&str>,
) -> Result<RunsPage, BucketError> {
    let mut page = RunsPage::default();
    let mut after = cursor.map(|cursor| format!("{}{cursor}", Key::RECENT));
    let (mut looked_at, mut read) = (0, 0);
    loop {
        let keys = bucket.list_page(Key::RECENT, after.as_deref(), PAGE_KEYS).await?;
        looked_at += keys.len();
        let asked = |key: String| {
            let run = Key::recent_run(&key)?;
            filter.may_take(&run).then_some((key, run))
        };
        let is_last_page = keys.len() < PAGE_KEYS;
        let last = keys.last().map(|o| o.key.clone());
        let found = keys.into_iter().filter_map(|o| asked(o.key));
        let found = stream::iter(found).map(|(key, run)| async move {
            let found = look(bucket, &key, run).await?;
            Ok::<_, BucketError>((key, found))
        });
        let mut found = found.buffered(PARALLEL_READS.min(limit.max(1)));
        while let Some((key, found)) = found.try_next().await? {
            if page.runs.len() == limit || read == READ_MAX {
                page.next = after.as_deref().map(cursor_of);
                return Ok(page);
            }
            read += 1;
            page.runs.extend(found.filter(|found| filter.takes(found)));
            after = Some(key);
        }
        if is_last_page {
            return Ok(page);
        }
        after = last;
        if looked_at >= LOOKED_AT_MAX {
            page.next = after.as_deref().map(cursor_of);
            return Ok(page);
        }
    }
}

fn cursor_of(key: &str) -> String {
    key.strip_prefix(Key::RECENT).unwrap_or(key).to_owned()
}

/// What is known of a run; nothing, if it never came to be.
async fn look(
    bucket: &dyn Bucket,
    key: &str,
    run: RunId,
) -> Result<Option<RunSummary>, BucketError> {
    let created = Key::recent_time(key).unwrap_or_default();
    if let Some(outcome) = find::<Outcome>(bucket, &Key::Outcome(&run).to_string()).await? {
        return Ok(Some(RunSummary {
            run,
            job: outcome.job,
            state: outcome.status.into(),
            created,
            ended: Some(outcome.ended),
            seconds: Some(outcome.seconds),
            rows: Some(outcome.rows),
            bytes: Some(outcome.bytes),
            tasks: Some(outcome.tasks),
            cost_usd: outcome.actual.map(|actual| actual.cost_usd),
            reason: outcome.reason,
        }));
    }
    let Some(asked) = find::<Run>(bucket, &Key::Run(&run).to_string()).await? else {
        return Ok(None);
    };
    let has_plan = bucket.head(&Key::Plan(&run).to_string()).await?.is_some();
    Ok(Some(RunSummary {
        run,
        job: asked.job,
        state: if has_plan { RunState::Running } else { RunState::Planning },
        created,
        ended: None,
        seconds: None,
        rows: None,
        bytes: None,
        tasks: None,
        cost_usd: None,
        reason: None,
    }))
}
