use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tidemill_aws::S3Bucket;
use tidemill_protocol::{Bucket, Key, RunId};

use crate::client::{Client, Target, no_such_run};
use crate::interrupt::Interrupts;
use crate::results::Printer;
use crate::run::show;
use crate::submit::{AtSignal, UNNOTICED, follow, next_look};

const EXAMPLES: &str = "Examples:
  run=$(tidemill run top.sql --detach) && tidemill wait $run --output top.csv
  tidemill wait top-20260102T030405678Z-00ff11aa22bb --bucket my-bucket";

/// Waits for the end of a run, shows its progress and prints its result.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WaitArgs {
    /// The run, as `tidemill run` prints it.
    #[arg(value_parser = RunId::parse)]
    run: RunId,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    printer: Printer,
}

impl WaitArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        self.printer.check()?;
        Client::with(&self.target, async |bucket| self.wait(bucket).await).await
    }

    async fn wait(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        // the id of a submission is there before its run is
        let patience = if self.run.submission().is_some() { UNNOTICED } else { Duration::ZERO };
        let (asked, start) = (Key::Run(&self.run).to_string(), Instant::now());
        while bucket.head(&asked).await?.is_none() {
            if start.elapsed() >= patience {
                return Err(no_such_run(&self.run, bucket));
            }
            tokio::time::sleep(next_look(start.elapsed())).await;
        }
        let mut interrupts = Interrupts::listen()?;
        let (run, leave) = (&self.run, AtSignal::Leave);
        let outcome = follow(bucket, run, &self.target, &mut interrupts, leave).await?;
        show(bucket, &outcome, &self.printer).await
    }
}
