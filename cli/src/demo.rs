use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tidemill_infra::BUCKET;
use tidemill_protocol::Key;
use tidemill_protocol::record::Status;

use crate::client::{Client, Target};
use crate::results::Printer;
use crate::run::Job;
use crate::submit::submit_and_wait;
use crate::{data, local};

/// Options of the demonstration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidemill demo
  tidemill demo --dir /tmp/tidemill")]
pub(crate) struct Demo {
    /// The folder of the bucket; it stays, to look into.
    #[arg(long, default_value = ".tidemill")]
    dir: PathBuf,
}

/// The job that is dropped.
const JOB: &str = "delays";

impl Demo {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let example = data::example_folder()?;
        let client = Client::of_local(local::start(&self.dir).await?).await?;
        let endpoint = client.local.as_ref().map(tidemill_infra::Local::endpoint);
        println!("1. S3, SQS and the functions are up at {}", endpoint.unwrap_or_default());
        println!("   the bucket is the folder {}", self.dir.join(BUCKET).display());

        let (files, bytes) =
            data::upload(&client.bucket, &example, &example.join("tables")).await?;
        println!(
            "2. all flights that left New York City in 2013: {files} files, {:.1} MB, are in tables/",
            bytes as f64 / 1e6
        );

        let target = Target { local: Some(self.dir.clone()), bucket: None };
        let path = example.join("jobs").join(format!("{JOB}.json"));
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {} failed", path.display()))?;
        println!("3. dropping jobs/{JOB}.json; what the functions say:");
        let job = Job { name: JOB.into(), extension: "json", text };
        let outcome = submit_and_wait(&client.bucket, &job, &target).await?;
        if outcome.status != Status::Succeeded {
            eprintln!("error: {}", outcome.reason.as_deref().unwrap_or("the run did not succeed"));
            client.close().await;
            return Ok(ExitCode::FAILURE);
        }

        println!("4. what each stage came to:");
        for stage in &outcome.stages {
            println!(
                "   stage {}: {} tasks wrote {} bytes  ({})",
                stage.stage, stage.tasks, stage.bytes, stage.operators
            );
        }
        println!("5. the answer:");
        Printer::default().print(&client.bucket, &outcome).await?;
        let folder = self.dir.join(BUCKET);
        println!("6. where everything lies:");
        println!("   the job       {}", folder.join(format!("jobs/{JOB}.json")).display());
        println!("   what was run  {}", folder.join(Key::run_folder(&outcome.run)).display());
        println!(
            "   the result    {}",
            folder.join(Key::result_folder(&outcome.job, &outcome.run)).display()
        );
        println!(
            "next: tidemill local --dir {}, then tidemill run -e \"SELECT count(*) FROM flights\"",
            self.dir.display()
        );
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
