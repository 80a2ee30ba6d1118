use std::process::ExitCode;

use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::status::{RunState, RunStatus, status};
use tidemill_protocol::{Bucket, Key, RunId};

use crate::client::{Client, Target, no_such_run};
use crate::progress::extent;

const EXAMPLES: &str = "Example:
  tidemill status top-20260102T030405678Z-00ff11aa22bb";

/// Says what a run is doing, or how it ended, and what is left of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// The run, as `tidemill run` prints it.
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    /// Print JSON, as GET /runs/RUN of the HTTP API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl StatusArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.say(bucket).await).await
    }

    async fn say(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let run = &self.run;
        let found = status(bucket, run).await?;
        let found = found.ok_or_else(|| no_such_run(run, bucket))?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&found)?);
            return Ok(ExitCode::SUCCESS);
        }
        say_state(&found);
        for (number, stage) in found.stages.iter().enumerate() {
            let not_begun =
                if found.state.has_ended() { "did not begin" } else { "waits for its inputs" };
            let extent = extent(stage).unwrap_or_else(|| not_begun.into());
            println!("  stage {number}  {extent}  {}", stage.operators);
        }
        if let Some(request) = &found.request {
            let folder = Key::result_folder(&request.job, run);
            println!("  results  s3://{}/{folder}", bucket.name());
        }
        let left = bucket.list(&Key::work_folder(run)).await?;
        let bytes: u64 = left.iter().map(|o| o.size).sum();
        println!(
            "  left     {} objects, {bytes} bytes under {}",
            left.len(),
            Key::work_folder(run)
        );
        if found.state == RunState::Succeeded
            && bucket.head(&Key::Closed(run).to_string()).await?.is_none()
        {
            println!("           it is not closed yet: the watcher sees to that");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn say_state(found: &RunStatus) {
    let (run, state) = (&found.run, found.state.as_str());
    match &found.outcome {
        None => println!("run {run} is {state}"),
        Some(outcome) => println!("run {run} {state} after {:.2} s", outcome.seconds),
    }
    if let Some(earlier) = found.request.as_ref().and_then(|r| r.retries.as_ref()) {
        println!("  retries  {earlier}");
    }
    if let Some(reason) = found.outcome.as_ref().and_then(|o| o.reason.as_ref()) {
        println!("  reason   {reason}");
    }
}
