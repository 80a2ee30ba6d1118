//! The bucket that a command works on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use aws_config::meta::region::RegionProviderChain;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use clap::Args;
use tidemill_aws::{S3Bucket, bucket};
use tidemill_infra::{BUCKET, Local};
use tidemill_protocol::RunId;
use tidemill_protocol::context::full_text;

use crate::endpoint;

/// The region where none is configured.
const REGION: &str = "us-east-1";

/// Where the job runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Run on this machine, with the buckets in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "bucket")]
    pub(crate) local: Option<PathBuf>,
    /// Run in this bucket of a deployment (AWS, or AWS_ENDPOINT_URL). Without --local and
    /// --bucket: in the emulator at AWS_ENDPOINT_URL, or on port 4566.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) bucket: Option<String>,
}

impl Target {
    /// What names the same target on another command line, with a space before it.
    pub(crate) fn flags(&self) -> String {
        match (&self.local, &self.bucket) {
            (Some(dir), _) => format!(" --local {}", dir.display()),
            (None, Some(bucket)) => format!(" --bucket {bucket}"),
            (None, None) => String::new(),
        }
    }
}

/// A bucket, and the emulator behind it if this command runs it.
pub(crate) struct Client {
    pub(crate) bucket: S3Bucket,
    pub(crate) local: Option<Local>,
}

impl Client {
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Self> {
        if let Some(dir) = &target.local {
            return Self::of_local(crate::local::start(dir).await?).await;
        }
        if let Some(name) = &target.bucket {
            let region = RegionProviderChain::default_provider().or_else(REGION);
            let mut config = aws_config::from_env().region(region);
            if let Some((_, endpoint)) = endpoint::of_environment() {
                config = config.endpoint_url(endpoint);
            }
            let config = config.load().await;
            if let Some(provider) = config.credentials_provider()
                && let Err(e) = provider.provide_credentials().await
            {
                bail!(
                    "there are no AWS credentials for bucket {name}: set AWS_PROFILE, or \
                     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({})",
                    full_text(&e)
                );
            }
            let bucket = S3Bucket::new(bucket::client(&config), name.clone());
            return Ok(Self { bucket, local: None });
        }
        let endpoint = endpoint::of_running_emulator().await?;
        Ok(Self { bucket: at(&endpoint).await, local: None })
    }

    /// Opens a target for some work on its bucket, and closes it again.
    pub(crate) async fn with(
        target: &Target,
        work: impl AsyncFnOnce(&S3Bucket) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let client = Self::open(target).await?;
        let done = work(&client.bucket).await;
        client.close().await;
        done
    }

    pub(crate) async fn of_local(local: Local) -> anyhow::Result<Self> {
        Ok(Self { bucket: at(&local.endpoint()).await, local: Some(local) })
    }

    /// Stops the emulator, if this command runs it.
    pub(crate) async fn close(self) {
        if let Some(local) = self.local {
            local.stop().await;
        }
    }
}

/// Why nothing can be said or done about a run.
pub(crate) fn no_such_run(run: &RunId, bucket: &S3Bucket) -> anyhow::Error {
    anyhow!(
        "there is no run {run} in bucket {}: `tidemill ls` lists those that there are",
        bucket.name()
    )
}

/// The emulator's own bucket.
async fn at(endpoint: &str) -> S3Bucket {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "local".into());
    let (key, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    let config = aws_config::from_env()
        // before what the environment says: `--local` has an emulator of its own
        .endpoint_url(endpoint)
        .region(REGION)
        .credentials_provider(Credentials::new(key, secret, None, None, "local"))
        .load()
        .await;
    S3Bucket::new(bucket::client(&config), BUCKET.into())
}
