//! The bucket that a command works on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use aws_config::meta::region::RegionProviderChain;
use aws_credential_types::Credentials;
use clap::Args;
use tidemill_aws::{S3Bucket, bucket};
use tidemill_infra::{BUCKET, Local, PORT};
use tidemill_protocol::RunId;

/// The region where none is configured.
const REGION: &str = "us-east-1";

/// Where the job runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Run on this machine, with the buckets in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "bucket")]
    pub(crate) local: Option<PathBuf>,
    /// Run in this bucket of a deployment (AWS, or AWS_ENDPOINT_URL).
    #[arg(long)]
    pub(crate) bucket: Option<String>,
}

/// A bucket, and the emulator behind it if this command runs it.
pub(crate) struct Client {
    pub(crate) bucket: S3Bucket,
    pub(crate) local: Option<Local>,
}

impl Client {
    async fn open(target: &Target) -> anyhow::Result<Self> {
        if let Some(dir) = &target.local {
            return Self::of_local(crate::local::start(dir).await?).await;
        }
        if let Some(name) = &target.bucket {
            let region = RegionProviderChain::default_provider().or_else(REGION);
            let config = aws_config::from_env().region(region).load().await;
            let bucket = S3Bucket::new(bucket::client(&config), name.clone());
            return Ok(Self { bucket, local: None });
        }
        let address = ("127.0.0.1", PORT);
        if tokio::net::TcpStream::connect(address).await.is_err() {
            bail!(
                "no emulator answers on port {PORT}: start one with `tidemill local`, or name a \
                 folder with --local DIR, or a bucket with --bucket NAME"
            );
        }
        let endpoint = format!("http://127.0.0.1:{PORT}");
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
    anyhow!("there is no run {run} in bucket {}", bucket.name())
}

/// The emulator's own bucket.
async fn at(endpoint: &str) -> S3Bucket {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "local".into());
    let (key, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    let config = aws_config::from_env()
        .endpoint_url(endpoint)
        .region(REGION)
        .credentials_provider(Credentials::new(key, secret, None, None, "local"))
        .load()
        .await;
    S3Bucket::new(bucket::client(&config), BUCKET.into())
}
