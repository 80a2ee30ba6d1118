use std::process::ExitCode;

use chrono::{TimeDelta, Utc};
use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::RunId;
use tidemill_protocol::record::TaskError;
use tidemill_protocol::report::RunRecords;

use crate::client::{Client, Target, no_such_run};

const EXAMPLES: &str = "Examples:
  tidemill logs top-20260102T030405678Z-00ff11aa22bb
  tidemill logs RUN 3                  of stage 3 alone
  tidemill logs RUN --json

An attempt that was killed leaves no words: its log stream has what it wrote.";

/// Says why a run did not succeed, and what the attempts at its tasks failed of, with the last lines of their logs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogsArgs {
    /// The run, as `tidemill run` prints it.
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    /// Only of this stage.
    stage: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl LogsArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.say(bucket).await).await
    }

    async fn say(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let found = RunRecords::find(bucket, &self.run, Utc::now()).await?;
        let RunRecords { status, tasks, .. } =
            found.ok_or_else(|| no_such_run(&self.run, bucket))?;
        let is_asked = |error: &&TaskError| self.stage.is_none_or(|stage| error.stage.0 == stage);
        let errors: Vec<&TaskError> = tasks.errors.iter().filter(is_asked).collect();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&errors)?);
            return Ok(ExitCode::SUCCESS);
        }
        println!("run {} is {}", self.run, status.state.as_str());
        let reason = status.outcome.and_then(|outcome| outcome.reason);
        if let Some(reason) = &reason {
            println!("  reason   {reason}");
        }
        for TaskError { stage, task, at, error, log, lines } in errors.into_iter().rev() {
            let time = tasks.created + TimeDelta::milliseconds(*at);
            println!();
            println!("{}  stage {stage}, task {task}, log {log}", time.format("%H:%M:%S%.3f"));
            println!("  {error}");
            lines.lines().for_each(|line| println!("  | {line}"));
        }
        if tasks.errors.is_empty() && reason.is_none() {
            println!("no attempt at a task has left an error");
        }
        Ok(ExitCode::SUCCESS)
    }
}
