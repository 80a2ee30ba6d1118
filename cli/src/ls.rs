use std::process::ExitCode;

use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_aws::S3Bucket;
use tidemill_protocol::record::{Outcome, Run};
use tidemill_protocol::{JobName, Key, RunId, Submission, context};

use crate::client::{Client, Target};

/// How many records are read at once.
const PARALLEL_READS: usize = 32;

/// Keys of one LIST request.
const PAGE_KEYS: i32 = 1000;

const EXAMPLES: &str = "Examples:
  tidemill ls                 the last 50 runs of the emulator on port 4566
  tidemill ls top -n 5        the last five of jobs/top.sql
  tidemill ls --bucket my-bucket";

/// Lists runs, the newest first, and how each ended.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LsArgs {
    /// Only the runs of this job.
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    job: Option<String>,
    /// At most so many.
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    limit: usize,
    #[command(flatten)]
    target: Target,
}

/// A run, and its end if it has one.
struct Listed {
    run: RunId,
    outcome: Option<Outcome>,
}

impl LsArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.say(bucket).await).await
    }

    async fn say(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let (runs, are_all) = self.newest(bucket).await?;
        println!("{:<9} {:>9} {:>12}  run", "state", "seconds", "rows");
        for Listed { run, outcome } in &runs {
            let (state, seconds, rows) = match outcome {
                Some(o) => (o.status.as_str(), format!("{:.2}", o.seconds), o.rows.to_string()),
                None => ("running", String::new(), String::new()),
            };
            println!("{state:<9} {seconds:>9} {rows:>12}  {run}");
        }
        match are_all {
            true => eprintln!("{} runs", runs.len()),
            false => eprintln!("the last {} runs; --limit shows more", runs.len()),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The newest runs, and whether there are no others.
    async fn newest(&self, bucket: &S3Bucket) -> anyhow::Result<(Vec<Listed>, bool)> {
        let prefix = self.job.as_ref().map(|job| RunId::prefix(&JobName::new(job)));
        let is_asked = |run: &RunId| match &prefix {
            Some(prefix) => {
                run.as_str().strip_prefix(prefix.as_str()).and_then(Submission::parse).is_some()
            }
            None => true,
        };
        let (mut listed, mut after) = (vec![], None);
        loop {
            let page = bucket.list_page(Key::RECENT, after.as_deref(), PAGE_KEYS).await?;
            let Some(last) = page.last() else { return Ok((listed, true)) };
            after = Some(last.clone());
            let runs = page.iter().filter_map(|key| Key::recent_run(key)).filter(is_asked);
            let found = stream::iter(runs).map(|run| look(bucket, run)).buffered(PARALLEL_READS);
            let mut found = std::pin::pin!(found.try_filter_map(async |listed| Ok(listed)));
            while let Some(run) = found.try_next().await? {
                if listed.len() == self.limit {
                    return Ok((listed, false));
                }
                listed.push(run);
            }
        }
    }
}

/// What is known of a run; nothing, if it never came to be.
async fn look(bucket: &S3Bucket, run: RunId) -> anyhow::Result<Option<Listed>> {
    let outcome: Option<Outcome> = context::find(bucket, &Key::Outcome(&run).to_string()).await?;
    let is_there = outcome.is_some()
        || context::find::<Run>(bucket, &Key::Run(&run).to_string()).await?.is_some();
    Ok(is_there.then_some(Listed { run, outcome }))
}
