//! The bucket that a command works on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use aws_config::SdkConfig;
use aws_config::meta::region::RegionProviderChain;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use clap::Args;
use tidemill_aws::{S3Bucket, bucket};
use tidemill_infra::{BUCKET, KeyPair, Local};
use tidemill_protocol::RunId;
use tidemill_protocol::context::full_text;

use crate::endpoint;

/// The region where none is configured.
const REGION: &str = "us-east-1";

/// The bucket where none is named.
const BUCKET_VARIABLE: &str = "TIDEMILL_BUCKET";

/// Where the job runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Run on this machine, with the buckets in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "bucket")]
    pub(crate) local: Option<PathBuf>,
    /// Run in this bucket of a deployment (AWS, or AWS_ENDPOINT_URL); TIDEMILL_BUCKET names it, too.
    /// Without --local and --bucket: in the emulator at AWS_ENDPOINT_URL, or on port 4566.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) bucket: Option<String>,
}

impl Target {
    /// The bucket of a deployment, if it is one.
    fn deployed(&self) -> Option<String> {
        let named = || std::env::var(BUCKET_VARIABLE).ok().filter(|name| !name.is_empty());
        self.bucket.clone().or_else(|| named().filter(|_| self.local.is_none()))
    }

    /// Whether it is named, by this command line or the environment.
    pub(crate) async fn names_one(&self) -> bool {
        self.local.is_some()
            || self.deployed().is_some()
            || endpoint::of_environment().is_some()
            || endpoint::of_profile().await.is_some()
    }

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
    pub(crate) config: SdkConfig,
    /// Of S3, where that is not AWS.
    pub(crate) endpoint: Option<String>,
}

impl Client {
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Self> {
        if let Some(dir) = &target.local {
            return Self::of_local(crate::local::start(dir).await?).await;
        }
        if let Some(name) = target.deployed() {
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
            let bucket = S3Bucket::new(bucket::client(&config), name);
            let endpoint = config.endpoint_url().map(str::to_owned);
            return Ok(Self { bucket, local: None, config, endpoint });
        }
        Ok(Self::at(endpoint::of_running_emulator().await?, None).await)
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
        Ok(Self::at(local.endpoint(), Some(local)).await)
    }

    /// The emulator's own bucket.
    async fn at(endpoint: String, local: Option<Local>) -> Self {
        let config = config_at(&endpoint, None).await;
        let bucket = S3Bucket::new(bucket::client(&config), BUCKET.into());
        Self { bucket, local, config, endpoint: Some(endpoint) }
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

/// The emulator's own bucket, as this process reaches it.
pub(crate) async fn bucket_at(endpoint: &str, keys: Option<&KeyPair>) -> S3Bucket {
    S3Bucket::new(bucket::client(&config_at(endpoint, keys).await), BUCKET.into())
}

async fn config_at(endpoint: &str, keys: Option<&KeyPair>) -> SdkConfig {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "local".into());
    let (key, secret) = match keys {
        Some(KeyPair { access_key, secret_key }) => (access_key.clone(), secret_key.clone()),
        None => (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")),
    };
    aws_config::from_env()
        // before what the environment says: `--local` has an emulator of its own
        .endpoint_url(endpoint)
        .region(REGION)
        .credentials_provider(Credentials::new(key, secret, None, None, "local"))
        .load()
        .await
}
