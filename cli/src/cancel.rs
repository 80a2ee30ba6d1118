use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::record::{Outcome, Status};
use tidemill_protocol::{Bucket, Key, RunId, context};

use crate::client::{Client, Target, no_such_run};

/// How long a run may take to notice.
const PATIENCE: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "Examples:
  tidemill cancel top-20260102T030405678Z-00ff11aa22bb
  tidemill cancel top-20260102T030405678Z-00ff11aa22bb --bucket my-bucket

The same without this program: put an empty object at runs/<run>/cancel.";

/// Ends a run: what it has not done yet is not done.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CancelArgs {
    /// The run, as `tidemill run` prints it.
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    #[command(flatten)]
    target: Target,
}

impl CancelArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        Client::with(&self.target, async |bucket| self.cancel(bucket).await).await
    }

    async fn cancel(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let run = &self.run;
        if bucket.head(&Key::Run(run).to_string()).await?.is_none() {
            return Err(no_such_run(run, bucket));
        }
        let outcome = Key::Outcome(run).to_string();
        let mut found: Option<Outcome> = context::find(bucket, &outcome).await?;
        if found.is_none() {
            bucket.put(&Key::Cancel(run).to_string(), bytes::Bytes::new(), &[]).await?;
        }
        let start = Instant::now();
        while found.is_none() {
            if start.elapsed() > PATIENCE {
                bail!("run {run} has not noticed yet that it is cancelled: look again later");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            found = context::find(bucket, &outcome).await?;
        }
        let status = found.map(|o| o.status);
        let (text, code) = match status {
            Some(Status::Cancelled) => ("is cancelled", ExitCode::SUCCESS),
            Some(Status::Failed) => ("had failed before", ExitCode::FAILURE),
            _ => ("had succeeded before", ExitCode::FAILURE),
        };
        eprintln!("run {run} {text}");
        Ok(code)
    }
}
