use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_aws::S3Bucket;
use tidemill_protocol::record::Outcome;
use tidemill_protocol::{Bucket, JobName, Key, RunId, context};

use crate::client::{Client, Target};

/// How many outcomes are read at once.
const PARALLEL_READS: usize = 32;

const EXAMPLES: &str = "Examples:
  tidemill ls                 the runs of the emulator on port 4566, the oldest first
  tidemill ls top             those of jobs/top.sql
  tidemill ls --bucket my-bucket";

/// Lists runs: how each ended, and how many working objects are left of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LsArgs {
    /// Only the runs of this job.
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    job: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// What is in the bucket of a run.
#[derive(Default)]
struct Found {
    has_ended: bool,
    is_closed: bool,
    left: usize,
}

impl LsArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.say(bucket).await).await
    }

    async fn say(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let prefix = match &self.job {
            Some(job) => RunId::prefix(&JobName::new(job)),
            None => String::new(),
        };
        let runs = find(bucket, &prefix).await?;
        let outcomes = outcomes(bucket, &runs).await?;
        println!("{:<9} {:>9} {:>12} {:>6}  run", "state", "seconds", "rows", "left");
        for (run, found) in &runs {
            let (state, seconds, rows) = match outcomes.get(run) {
                Some(o) => (o.status.as_str(), format!("{:.2}", o.seconds), o.rows.to_string()),
                None => ("running", String::new(), String::new()),
            };
            let open = if found.has_ended && !found.is_closed { "  (not closed yet)" } else { "" };
            println!("{state:<9} {seconds:>9} {rows:>12} {:>6}  {run}{open}", found.left);
        }
        let left: usize = runs.values().map(|f| f.left).sum();
        eprintln!("{} runs; {left} working objects are left", runs.len());
        Ok(ExitCode::SUCCESS)
    }
}

/// All runs that have a record or a working object.
async fn find(bucket: &S3Bucket, prefix: &str) -> anyhow::Result<BTreeMap<RunId, Found>> {
    let mut runs: BTreeMap<RunId, Found> = BTreeMap::new();
    for folder in [Key::RUNS, Key::WORK] {
        for object in bucket.list(&format!("{folder}{prefix}")).await? {
            let parts = object.key.strip_prefix(folder).and_then(|rest| rest.split_once('/'));
            let Some((run, rest)) = parts else { continue };
            let Ok(run) = RunId::parse(run) else { continue };
            let found = runs.entry(run).or_default();
            match (folder, rest) {
                (Key::WORK, _) => found.left += 1,
                (_, "outcome.json") => found.has_ended = true,
                (_, "closed") => found.is_closed = true,
                _ => {}
            }
        }
    }
    Ok(runs)
}

async fn outcomes(
    bucket: &S3Bucket,
    runs: &BTreeMap<RunId, Found>,
) -> anyhow::Result<BTreeMap<RunId, Outcome>> {
    let ended: Vec<_> = runs.iter().filter(|(_, f)| f.has_ended).map(|(run, _)| run).collect();
    let read = async |run: &RunId| {
        let key = Key::Outcome(run).to_string();
        anyhow::Ok(context::find::<Outcome>(bucket, &key).await?.map(|o| (run.clone(), o)))
    };
    let found = stream::iter(ended).map(read).buffer_unordered(PARALLEL_READS);
    let found: Vec<_> = found.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
