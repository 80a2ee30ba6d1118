use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_protocol::record::Run;
use tidemill_protocol::{JobName, Key, RunId, context};

use crate::client::{Client, Target, no_such_run};
use crate::results::Printer;
use crate::run::{self, Job};
use crate::submit::submit_and_wait;

const EXAMPLES: &str = "Examples:
  tidemill retry top-20260102T030405678Z-00ff11aa22bb --output top.csv
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
    #[command(flatten)]
    printer: Printer,
}

impl RetryArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        self.printer.check()?;
        Client::with(&self.target, async |bucket| self.retry(bucket).await).await
    }

    async fn retry(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let run = &self.run;
        let found: Option<Run> = context::find(bucket, &Key::Run(run).to_string()).await?;
        let earlier = found.ok_or_else(|| no_such_run(run, bucket))?;
        // two retries at once are two files
        let hash = run.as_str().rsplit('-').next().unwrap_or_default();
        let name = JobName::new(&format!("retry-{}-{hash}", earlier.job)).to_string();
        let text = json!({ "retry": run }).to_string();
        let job = Job { name, extension: "json", text };
        let outcome = submit_and_wait(bucket, &job, &self.target).await?;
        run::show(bucket, &outcome, &self.printer).await
    }
}
