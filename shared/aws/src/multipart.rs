//! Objects that are too large for one PUT.

use std::fs::File;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::{StreamExt, TryStreamExt, stream};
use tidemill_protocol::bucket::BucketError;
use tidemill_protocol::ids::AttemptId;

use crate::body;
use crate::s3_error::{failed, io, status};

/// The least bytes of a part. S3 asks for 5 MiB; a part that fails is sent again whole.
const PART_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// The most parts of an upload (S3).
const PARTS_MAX: u64 = 10_000;

/// How many parts are sent at once.
const PARALLEL_PARTS: usize = 4;

/// What became of an upload.
pub(crate) enum Uploaded {
    Created,
    /// There is an object of this key, or the answer to an earlier try was lost.
    Exists,
    /// Another conditional write was under way.
    Conflict,
}

/// An upload of one object in parts.
pub(crate) struct Upload<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
}

impl Upload<'_> {
    /// Creates the object, unless there is one. What was sent of an upload that fails is given up.
    pub(crate) async fn create(
        &self,
        file: &File,
        attempt: &AttemptId,
        metadata: &[(&str, String)],
    ) -> Result<Uploaded, BucketError> {
        let start = self.client.create_multipart_upload().bucket(self.bucket).key(self.key);
        let start = start.metadata("attempt", &attempt.0);
        let start = metadata.iter().fold(start, |r, (name, value)| r.metadata(*name, value));
        let started = start.send().await.map_err(|e| failed("creating", self.key, &e))?;
        let id = started.upload_id().unwrap_or_default();
        let uploaded = self.send(id, file).await;
        if !matches!(uploaded, Ok(Uploaded::Created)) {
            let abort = self.client.abort_multipart_upload().bucket(self.bucket).key(self.key);
            if let Err(e) = abort.upload_id(id).send().await {
                // the bucket's lifecycle does it
                tracing::warn!(key = self.key, "an upload was not given up: {e}");
            }
        }
        uploaded
    }

    async fn send(&self, id: &str, file: &File) -> Result<Uploaded, BucketError> {
        let size = file.metadata().map_err(|e| io("spooling", self.key, e))?.len();
        let part_bytes = PART_BYTES_MIN.max(size.div_ceil(PARTS_MAX));
        let starts = (0..size).step_by(usize::try_from(part_bytes).unwrap_or(usize::MAX));
        let parts = starts.zip(1..).map(|(from, number)| {
            self.send_part(id, file, number, from..size.min(from + part_bytes))
        });
        let parts = stream::iter(parts).buffered(PARALLEL_PARTS).try_collect().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(self.bucket).key(self.key);
        let complete = complete.upload_id(id).multipart_upload(parts).if_none_match("*");
        match complete.send().await {
            Ok(_) => Ok(Uploaded::Created),
            Err(e) => match status(&e) {
                // without an upload of this id it was completed before
                Some(404 | 412) => Ok(Uploaded::Exists),
                Some(409) => Ok(Uploaded::Conflict),
                _ => Err(failed("creating", self.key, &e)),
            },
        }
    }

    async fn send_part(
        &self,
        id: &str,
        file: &File,
        number: i32,
        range: std::ops::Range<u64>,
    ) -> Result<CompletedPart, BucketError> {
        let file = file.try_clone().map_err(|e| io("spooling", self.key, e))?;
        let part = self.client.upload_part().bucket(self.bucket).key(self.key).upload_id(id);
        let part = part.part_number(number).body(ByteStream::new(body::of_range(file, range)));
        let sent = part.send().await.map_err(|e| failed("writing a part of", self.key, &e))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
    }
}
