//! The conditions of requests.

use std::time::{Duration, SystemTime};

use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::failed;
use super::folder::{Condition, FolderError, Info};

impl From<FolderError> for S3Error {
    fn from(e: FolderError) -> Self {
        match e {
            FolderError::NoBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
            FolderError::NoKey => s3_error!(NoSuchKey, "The specified key does not exist."),
            FolderError::Precondition => s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            ),
            FolderError::Io(e) => failed(e),
        }
    }
}

/// The condition of a write.
pub(super) fn of_write(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<Option<Condition>> {
    match (if_match, if_none_match) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(s3_error!(NotImplemented, "If-Match and If-None-Match cannot be combined"))
        }
        (None, Some(ETagCondition::Any)) => Ok(Some(Condition::Absent)),
        (None, Some(ETagCondition::ETag(_))) => {
            Err(s3_error!(NotImplemented, "If-None-Match of a write takes * only"))
        }
        (Some(ETagCondition::Any), None) => Ok(Some(Condition::Etag(None))),
        (Some(ETagCondition::ETag(etag)), None) => {
            Ok(Some(Condition::Etag(Some(etag.into_value()))))
        }
    }
}

/// The conditions of a read.
#[derive(Debug, Default)]
pub(super) struct OfRead {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

impl OfRead {
    /// RFC 9110, section 13.2.2: an ETag condition replaces the date condition of its kind.
    pub(super) fn check(&self, info: &Info) -> S3Result<()> {
        let etag = info.meta.etag.as_str();
        let precondition = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => matches(condition, etag),
            (None, Some(since)) => seconds(info.modified) <= timestamp_seconds(since),
            (None, None) => true,
        };
        if !precondition {
            return Err(FolderError::Precondition.into());
        }
        let modified = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => !matches(condition, etag),
            (None, Some(since)) => seconds(info.modified) > timestamp_seconds(since),
            (None, None) => true,
        };
        if modified { Ok(()) } else { Err(not_modified(etag)) }
    }
}

fn not_modified(etag: &str) -> S3Error {
    let mut e = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = hyper::HeaderMap::new();
    if let Ok(value) = ETag::Strong(etag.to_owned()).to_http_header() {
        headers.insert(hyper::header::ETAG, value);
    }
    e.set_headers(headers);
    e
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn timestamp_seconds(timestamp: &Timestamp) -> i64 {
    let mut text = vec![];
    let formatted = timestamp.format(s3s::dto::TimestampFormat::EpochSeconds, &mut text);
    let text = formatted.ok().and_then(|()| String::from_utf8(text).ok());
    text.and_then(|t| t.split('.').next()?.parse().ok()).unwrap_or(0)
}
