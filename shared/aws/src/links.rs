//! What others than we may do with an object for a while: presigned requests, and uploads in parts.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tidemill_protocol::bucket::BucketError;

use crate::bucket::S3Bucket;
use crate::s3_error::{failed, io};

/// What has to be true for an object to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteIf {
    /// There is none of its key.
    Absent,
    /// It is this version, without quotes.
    Is(String),
    Any,
}

impl WriteIf {
    fn if_none_match(&self) -> Option<String> {
        (*self == Self::Absent).then(|| "*".into())
    }

    fn if_match(&self) -> Option<String> {
        match self {
            Self::Is(etag) => Some(format!("\"{etag}\"")),
            Self::Absent | Self::Any => None,
        }
    }
}

/// What is signed of a request beside its URL.
const SIGNED: [&str; 2] = ["if-match", "if-none-match"];

/// A request that whoever has it may send, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub method: String,
    pub url: String,
    /// What it has to be sent with.
    pub headers: Vec<(String, String)>,
}

impl From<PresignedRequest> for Link {
    fn from(request: PresignedRequest) -> Self {
        // others than these are not signed, and those who send it know their host
        let headers = request.headers().filter(|(name, _)| SIGNED.contains(name));
        Self {
            method: request.method().into(),
            url: request.uri().into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }
}

impl S3Bucket {
    /// A request that reads an object, which browsers save by a file name.
    ///
    /// # Errors
    /// There are no credentials to sign it with.
    pub async fn read_link(
        &self,
        key: &str,
        file_name: &str,
        valid: Duration,
    ) -> Result<Link, BucketError> {
        let name: String =
            file_name.chars().map(|c| if c == '"' || c.is_control() { '_' } else { c }).collect();
        let request = self.client().get_object().bucket(self.name()).key(key);
        let request =
            request.response_content_disposition(format!("attachment; filename=\"{name}\""));
        let signed = request.presigned(signing(key, valid)?).await;
        signed.map(Link::from).map_err(|e| failed("signing a request for", key, &e))
    }

    /// A request that writes an object.
    ///
    /// # Errors
    /// There are no credentials to sign it with.
    pub async fn write_link(
        &self,
        key: &str,
        write_if: &WriteIf,
        valid: Duration,
    ) -> Result<Link, BucketError> {
        let request = self.client().put_object().bucket(self.name()).key(key);
        let request = request.set_if_none_match(write_if.if_none_match());
        let request = request.set_if_match(write_if.if_match());
        let signed = request.presigned(signing(key, valid)?).await;
        signed.map(Link::from).map_err(|e| failed("signing a request for", key, &e))
    }

    /// Begins an upload in parts; its id.
    ///
    /// # Errors
    /// The bucket does not take it.
    pub async fn begin_upload(&self, key: &str) -> Result<String, BucketError> {
        let request = self.client().create_multipart_upload().bucket(self.name()).key(key);
        let begun = request.send().await.map_err(|e| failed("beginning the upload of", key, &e))?;
        begun.upload_id.ok_or_else(|| io("beginning the upload of", key, "it has no id"))
    }

    /// A request that writes a part of an upload, from 1.
    ///
    /// # Errors
    /// There are no credentials to sign it with.
    pub async fn part_link(
        &self,
        key: &str,
        upload: &str,
        part: i32,
        valid: Duration,
    ) -> Result<Link, BucketError> {
        let request = self.client().upload_part().bucket(self.name()).key(key);
        let signed =
            request.upload_id(upload).part_number(part).presigned(signing(key, valid)?).await;
        signed.map(Link::from).map_err(|e| failed("signing a request for", key, &e))
    }

    /// Ends an upload with the parts that it has: their numbers and ETags.
    ///
    /// # Errors
    /// [`BucketError::NotFound`] if there is no such upload, [`BucketError::Changed`] if the object is there
    /// against `write_if`.
    pub async fn complete_upload(
        &self,
        key: &str,
        upload: &str,
        parts: &[(i32, String)],
        write_if: &WriteIf,
    ) -> Result<(), BucketError> {
        let part = |(number, etag): &(i32, String)| {
            CompletedPart::builder().part_number(*number).e_tag(etag).build()
        };
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.iter().map(part).collect()))
            .build();
        let request = self.client().complete_multipart_upload().bucket(self.name()).key(key);
        let request = request.upload_id(upload).multipart_upload(parts);
        let request = request.set_if_none_match(write_if.if_none_match());
        let request = request.set_if_match(write_if.if_match());
        request.send().await.map_err(|e| failed("completing the upload of", key, &e))?;
        Ok(())
    }

    /// Writes an object, if what has to be true is.
    ///
    /// # Errors
    /// [`BucketError::Changed`], if it is not.
    pub async fn put_if(
        &self,
        key: &str,
        body: Bytes,
        write_if: &WriteIf,
    ) -> Result<String, BucketError> {
        let request = self.client().put_object().bucket(self.name()).key(key);
        let request = request.set_if_none_match(write_if.if_none_match());
        let request = request.set_if_match(write_if.if_match());
        let sent = request.body(body.into()).send().await;
        let sent = sent.map_err(|e| failed("writing", key, &e))?;
        Ok(sent.e_tag.unwrap_or_default().trim_matches('"').to_owned())
    }

    /// The next folders (at most 1,000) under a prefix, each with its `/`, and what to ask for those after them by.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn folders(
        &self,
        prefix: &str,
        token: Option<&str>,
        most: i32,
    ) -> Result<(Vec<String>, Option<String>), BucketError> {
        let request = self.client().list_objects_v2().bucket(self.name()).prefix(prefix);
        let request = request.delimiter("/").max_keys(most);
        let request = request.set_continuation_token(token.map(str::to_owned));
        let page = request.send().await.map_err(|e| failed("listing", prefix, &e))?;
        let folders = page.common_prefixes.unwrap_or_default().into_iter();
        Ok((folders.filter_map(|folder| folder.prefix).collect(), page.next_continuation_token))
    }
}

fn signing(key: &str, valid: Duration) -> Result<PresigningConfig, BucketError> {
    PresigningConfig::expires_in(valid).map_err(|e| io("signing a request for", key, e))
}
