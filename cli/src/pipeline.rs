use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::{Body, Bucket, Created, NewObject, ObjectInfo};
use tidemill_protocol::pipeline::Pipeline;
use tidemill_protocol::record::{Outcome, PinnedObject, Run, Status};
use tidemill_protocol::{AttemptId, JobName, Key, context};

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
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: String,
    #[command(flatten)]
    target: Target,
}

impl PipelineCommand {
    pub(crate) async fn execute(self) -> anyhow::Result<ExitCode> {
        let Self::Backfill(backfill) = self;
        Client::with(&backfill.target, async |bucket| backfill.execute(bucket).await).await
    }
}

impl Backfill {
    async fn execute(&self, bucket: &S3Bucket) -> anyhow::Result<ExitCode> {
        let name = &self.name;
        let key = format!("{}{name}.json", Key::PIPELINES);
        if bucket.head(&key).await?.is_none() {
            bail!("there is no pipeline {name}: s3://{}/{key} is missing", bucket.name());
        }
        let object = bucket.get(&key, None).await?;
        let pipeline = Pipeline::parse(&key, &object.bytes)?;
        let past = PastRuns::of(bucket, name).await?;
        let files = bucket.list(&pipeline.prefix).await?;
        let files: Vec<_> = files.into_iter().filter(|f| pipeline.matches(&f.key)).collect();
        let mut dropped = 0;
        for file in files.iter().filter(|f| !past.ran(f)) {
            if drop_job(bucket, name, file, past.failures(file)).await? == Created::Now {
                println!("{}", file.key);
                dropped += 1;
            }
        }
        println!("{dropped} of {} files had no run of {name} yet; each has one now", files.len());
        Ok(ExitCode::SUCCESS)
    }
}

/// The files that a pipeline has run over.
struct PastRuns {
    /// With success, or still running.
    ran: Vec<PinnedObject>,
    failed: Vec<PinnedObject>,
}

impl PastRuns {
    async fn of(bucket: &S3Bucket, name: &str) -> anyhow::Result<Self> {
        let mut past = Self { ran: vec![], failed: vec![] };
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
            let failed = outcome.is_some_and(|o| o.status != Status::Succeeded);
            let files = if failed { &mut past.failed } else { &mut past.ran };
            files.extend(run.input);
        }
        Ok(past)
    }

    fn ran(&self, file: &ObjectInfo) -> bool {
        self.ran.iter().any(|r| is_version(r, file))
    }

    fn failures(&self, file: &ObjectInfo) -> usize {
        self.failed.iter().filter(|f| is_version(f, file)).count()
    }
}

fn is_version(pinned: &PinnedObject, file: &ObjectInfo) -> bool {
    pinned.key == file.key && pinned.etag == file.etag
}

/// Drops a job that asks for the pipeline over one file. Its name tells the file's version and how
/// often that has failed, and it is created once: asking twice at the same time is one job.
async fn drop_job(
    bucket: &S3Bucket,
    pipeline: &str,
    file: &ObjectInfo,
    failures: usize,
) -> anyhow::Result<Created> {
    let name = JobName::new(&file.key.replace('/', "-"));
    let key = format!("{}backfill/{pipeline}/{name}-{}-{failures}.json", Key::JOBS, file.etag);
    let job = json!({ "pipeline": pipeline, "input": file.key }).to_string();
    let attempt = AttemptId(uuid::Uuid::new_v4().simple().to_string());
    Ok(bucket.create(NewObject::new(&key, Body::Bytes(job.into()), &attempt)).await?)
}
