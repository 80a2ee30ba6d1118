use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tidemill_protocol::record::Run;
use tidemill_protocol::{JobName, Key, RunId, context};

use crate::client::{Client, Target};
use crate::results::{Format, Printer};
use crate::run::{self, Job};

const EXAMPLES: &str = "Examples:
  tidemill retry top-20260102T030405678Z-00ff11aa22bb
  tidemill retry top-20260102T030405678Z-00ff11aa22bb --bucket my-bucket

The same without this program: drop {\"retry\": \"<run>\"} at jobs/<any name>.json.";

/// Runs the job of a failed or cancelled run again. Stages that it had done are taken over, if their
/// files are still the same.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RetryArgs {
    /// The run that did not succeed.
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    #[command(flatten)]
    target: Target,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the result to this file.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

impl RetryArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let printer = Printer::new(self.format, self.output.clone())?;
        let client = Client::open(&self.target).await?;
        let done = self.retry(&client, printer).await;
        client.close().await;
        done
    }

    async fn retry(&self, client: &Client, printer: Printer) -> anyhow::Result<ExitCode> {
        let (bucket, run) = (&client.bucket, &self.run);
        let found: Option<Run> = context::find(bucket, &Key::Run(run).to_string()).await?;
        let missing = || format!("there is no run {run} in bucket {}", bucket.name());
        let earlier = found.with_context(missing)?;
        // two retries at once are two files
        let hash = run.as_str().rsplit('-').next().unwrap_or_default();
        let name = JobName::new(&format!("retry-{}-{hash}", earlier.job)).to_string();
        let text = json!({ "retry": run }).to_string();
        let outcome = run::submit_and_wait(bucket, &Job { name, extension: "json", text }).await?;
        run::show(bucket, &outcome, printer).await
    }
}
