use std::process::ExitCode;

use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::JobName;
use tidemill_protocol::runs::{RunFilter, RunSummary, RunsPage, runs};
use tidemill_protocol::status::RunState;

use crate::client::{Client, Target};

const EXAMPLES: &str = "Examples:
  tidemill ls                 the last 50 runs of the emulator on port 4566
  tidemill ls top -n 5        the last five of jobs/top.sql
  tidemill ls --state failed  the last that failed
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
    /// Only runs in this state; several are allowed.
    #[arg(long, value_name = "STATE", value_parser = str::parse::<RunState>)]
    state: Vec<RunState>,
    /// Print JSON, as GET /runs of the HTTP API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl LsArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.say(bucket).await).await
    }

    async fn say(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let job = self.job.as_deref().map(JobName::new);
        let filter = RunFilter { job, states: self.state.clone() };
        let (mut listed, mut cursor) = (vec![], None);
        loop {
            let left = self.limit - listed.len();
            let page = runs(bucket, &filter, left, cursor.as_deref()).await?;
            listed.extend(page.runs);
            cursor = page.next;
            if listed.len() == self.limit || cursor.is_none() {
                break;
            }
        }
        if self.json {
            let page = RunsPage { runs: listed, next: cursor };
            println!("{}", serde_json::to_string_pretty(&page)?);
            return Ok(ExitCode::SUCCESS);
        }
        say(&listed);
        match cursor {
            None => eprintln!("{} runs", listed.len()),
            Some(_) => eprintln!("the last {} runs; --limit shows more", listed.len()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn say(runs: &[RunSummary]) {
    println!("{:<9} {:>9} {:>12}  run", "state", "seconds", "rows");
    for RunSummary { run, state, seconds, rows, .. } in runs {
        let seconds = seconds.map(|seconds| format!("{seconds:.2}")).unwrap_or_default();
        let rows = rows.map(|rows| rows.to_string()).unwrap_or_default();
        println!("{:<9} {seconds:>9} {rows:>12}  {run}", state.as_str());
    }
}
