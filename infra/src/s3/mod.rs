//! S3 on a plain folder.

mod body;
mod checksum;
mod condition;
mod credentials;
mod describe;
mod folder;
mod list;
mod listing;
mod multipart;
mod names;
mod notify;
mod ranges;
mod service;
mod tags;
mod uploads;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3Result, s3_error};

pub(crate) use credentials::Anonymous;
pub(crate) use folder::{lock, private_folder};
pub(crate) use notify::{Notification, Notifications};

use folder::Folder;

/// The only credentials that are accepted, if the emulator is started with some.
#[derive(Debug, Clone)]
pub struct KeyPair {
    pub access_key: String,
    pub secret_key: String,
}

#[async_trait::async_trait]
impl S3Auth for KeyPair {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            return Ok(self.secret_key.clone().into());
        }
        Err(s3_error!(InvalidAccessKeyId, "The access key ID you provided does not exist."))
    }
}

/// The protocol layer over a folder of buckets.
pub(crate) fn service(
    root: PathBuf,
    buckets: &[&str],
    keys: Option<&KeyPair>,
    notifications: Notifications,
) -> std::io::Result<S3Service> {
    let folder = Arc::new(Folder::open(root)?);
    for bucket in buckets {
        folder.create_bucket(bucket)?;
    }
    let mut builder = S3ServiceBuilder::new(service::FolderS3::new(folder, notifications));
    if let Some(keys) = keys {
        builder.set_auth(keys.clone());
    }
    Ok(builder.build())
}

/// What the folder or its disk does not do is said to whoever asked, and in the emulator's log.
fn failed(e: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    tracing::error!(error = %e, "an S3 request failed");
    s3_error!(InternalError, "{e}")
}

/// Names and values of headers, of metadata or of checksums.
type Pairs = BTreeMap<String, String>;
