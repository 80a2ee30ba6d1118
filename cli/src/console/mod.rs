//! The console: pages about the runs of a bucket, on this machine's loopback address.

mod answer;
mod assets;
mod server;

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tidemill_aws::S3Bucket;

use crate::client::{Client, Target};
use crate::local::wait_for_signal;

pub(crate) use server::Console;

const EXAMPLES: &str = "Examples:
  tidemill console                      of the emulator on port 4566
  tidemill console --bucket my-bucket   of a deployment, with your AWS credentials

Whoever has the address that is printed may do with the bucket what your credentials may; it is new each time, and
ends with the command. `tidemill local` serves the same pages.";

/// Serves pages about runs, tables and statements on this machine, and prints their address.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConsoleArgs {
    /// The port on the loopback address; any free one if nothing is said.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    #[command(flatten)]
    target: Target,
}

impl ConsoleArgs {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let client = Client::open(&self.target).await?;
        let serving = self.serve(client.bucket.clone(), client.endpoint.clone()).await;
        client.close().await;
        serving?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(&self, bucket: S3Bucket, endpoint: Option<String>) -> anyhow::Result<()> {
        let name = bucket.name().to_owned();
        let port = self.port;
        let console = Console::start(bucket, endpoint, port)
            .await
            .with_context(|| format!("port {port} cannot be used; choose another with --port"))?;
        println!("the console of bucket {name} is at");
        println!("  {}", console.url());
        eprintln!("Ctrl-C ends it");
        Ok(wait_for_signal().await?)
    }
}
