use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{ClientOptions, CredentialProvider, ObjectStore};

use crate::deployment::StartError;
use crate::env;
use crate::folder_reads::FolderReads;

/// The region that an endpoint without one gets.
const ANY_REGION: &str = "us-east-1";

/// Longest time for one ranged GET, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A reader of a bucket for DataFusion, with the credentials of the SDK's configuration.
///
/// # Errors
/// The configuration does not suffice.
pub fn reader(config: &SdkConfig, bucket: &str) -> Result<Arc<dyn ObjectStore>, StartError> {
    let options = ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(true)
        .with_pool_max_idle_per_host(64);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(config.region().map_or(ANY_REGION, AsRef::as_ref))
        .with_client_options(options);
    if let Some(endpoint) = config.endpoint_url() {
        builder = builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
    }
    if let Some(provider) = config.credentials_provider() {
        builder = builder.with_credentials(Arc::new(SdkCredentials(provider)));
    }
    let store: Arc<dyn ObjectStore> =
        Arc::new(builder.build().map_err(|e| StartError::Store(e.into()))?);
    Ok(match env::optional(env::LOCAL_FOLDER) {
        Some(folder) => Arc::new(FolderReads::new(store, PathBuf::from(folder).join(bucket))),
        None => store,
    })
}

/// The SDK caches and renews them.
#[derive(Debug)]
struct SdkCredentials(SharedCredentialsProvider);

#[async_trait]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let found = self
            .0
            .provide_credentials()
            .await
            .map_err(|e| object_store::Error::Generic { store: "S3", source: Box::new(e) })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}
