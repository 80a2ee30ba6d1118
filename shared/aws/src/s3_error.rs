//! Errors of S3 as those of the protocol's bucket.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tidemill_protocol::bucket::BucketError;
use tidemill_protocol::context::full_text;

/// The status of an answer, if there was one.
pub(crate) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|r| r.status().as_u16())
}

/// What a failed request says to the protocol, which acts on a missing and on a changed object.
pub(crate) fn failed<E>(action: &'static str, key: &str, error: &SdkError<E>) -> BucketError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    match status(error) {
        Some(404) if code != "NoSuchBucket" => BucketError::NotFound { key: key.into() },
        Some(412) => BucketError::Changed { key: key.into() },
        _ => io(action, key, full_text(error)),
    }
}

/// Any other failure: of the network, of a file, of S3.
pub(crate) fn io(
    action: &'static str,
    key: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> BucketError {
    BucketError::Io { action, key: key.into(), source: source.into() }
}
