use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::{Bucket, ObjectInfo};
use tidemill_protocol::pipeline::Pipeline;
use tidemill_protocol::record::{Outcome, PinnedObject, Run, Status};
use tidemill_protocol::{JobName, Key, RunId, context};

use crate::client::{Client, Target};

#[derive(Debug, Subcommand)]
pub(crate) enum PipelineCommand {
    /// Run a pipeline over the files that landed before it existed.
    Backfill(Backfill),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  tidemill pipeline backfill orders      runs pipelines/orders.json over what lies under its prefix")]
pub(crate) struct Backfill {
    /// The pipeline: NAME for pipelines/NAME.json.
    name: String,
    #[command(flatten)]
    target: Target,
}

impl PipelineCommand {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let Self::Backfill(backfill) = self;
        let client = Client::open(&backfill.target).await?;
        let done = backfill.execute(&client.bucket).await;
        client.close().await;
        done
    }
}

impl Backfill {
    async fn execute(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let name = &self.name;
        let key = format!("{}{name}.json", Key::PIPELINES);
        let object =
            bucket.get(&key, None).await.with_context(|| format!("there is no pipeline {name}"))?;
        let pipeline = Pipeline::parse(&key, &object.bytes)?;
        let had = inputs_of(bucket, name).await?;
        let files = bucket.list(&pipeline.prefix).await?;
        let files: Vec<_> = files.into_iter().filter(|f| pipeline.matches(&f.key)).collect();
        let left: Vec<_> = files.iter().filter(|f| !is_in(f, &had)).collect();
        for file in &left {
            drop_job(bucket, name, file).await?;
            println!("{}", file.key);
        }
        println!(
            "{} of {} files had no run of {name} yet; each has one now",
            left.len(),
            files.len()
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn is_in(file: &ObjectInfo, had: &[PinnedObject]) -> bool {
    had.iter().any(|h| h.key == file.key && h.etag == file.etag)
}

/// The files that the pipeline has run over, or is running over, without failing.
async fn inputs_of(bucket: &S3Bucket, name: &str) -> anyhow::Result<Vec<PinnedObject>> {
    let mut inputs = vec![];
    for object in bucket.list(Key::RUNS).await? {
        if !object.key.ends_with("/run.json") {
            continue;
        }
        let Some(run) = context::find::<Run>(bucket, &object.key).await? else { continue };
        if run.source.pipeline.as_deref() != Some(name) {
            continue;
        }
        let outcome: Option<Outcome> =
            context::find(bucket, &Key::Outcome(&run.run).to_string()).await?;
        if outcome.is_none_or(|o| o.status == Status::Succeeded) {
            inputs.extend(run.input);
        }
    }
    Ok(inputs)
}

/// A job file that asks for the pipeline over one file; its name tells the file's version, so
/// that asking twice at once is one job.
async fn drop_job(bucket: &S3Bucket, pipeline: &str, file: &ObjectInfo) -> anyhow::Result<()> {
    let identity = [file.key.as_str(), &file.etag];
    let id = RunId::of_event(&JobName::new(pipeline), chrono::DateTime::UNIX_EPOCH, &identity);
    let key = format!("{}backfill/{id}.json", Key::JOBS);
    let job = json!({ "pipeline": pipeline, "input": file.key });
    bucket.put(&key, job.to_string().into(), &[]).await?;
    Ok(())
}
