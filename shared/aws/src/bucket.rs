//! The protocol's bucket on S3.

use std::fs::File;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidemill_protocol::bucket::{Body, Bucket, BucketError, Created, Object, ObjectInfo};
use tidemill_protocol::context::full_text;
use tidemill_protocol::ids::AttemptId;

use crate::body;

/// The most keys of one DeleteObjects request.
const DELETE_BATCH: usize = 1000;

/// How often a write is repeated that S3 answered with 409 (a concurrent conditional write).
const CONFLICT_RETRIES: u32 = 5;

/// The characters of a copy source that stay as they are.
const COPY_SOURCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An S3 client; in path style where the endpoint is not that of AWS.
pub fn client(config: &SdkConfig) -> Client {
    let path_style = config.endpoint_url().is_some();
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
    Client::from_conf(config)
}

/// A bucket of S3.
#[derive(Debug, Clone)]
pub struct S3Bucket {
    client: Client,
    name: String,
}

impl S3Bucket {
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes an object as a user does, over whatever is there.
    pub async fn put(
        &self,
        key: &str,
        body: Bytes,
        metadata: &[(&str, &str)],
    ) -> Result<(), BucketError> {
        let mut request = self.client.put_object().bucket(&self.name).key(key);
        for (name, value) in metadata {
            request = request.metadata(*name, *value);
        }
        let sent = request.body(ByteStream::from(body)).send().await;
        sent.map_err(|e| failed("writing", key, &e))?;
        Ok(())
    }

    async fn get_with(
        &self,
        key: &str,
        etag: Option<&str>,
        range: Option<String>,
    ) -> Result<Object, BucketError> {
        let request = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .set_if_match(etag.map(|e| format!("\"{e}\"")))
            .set_range(range);
        let got = request.send().await.map_err(|e| failed("reading", key, &e))?;
        let size = got
            .content_range()
            .and_then(|r| r.rsplit_once('/')?.1.parse().ok())
            .unwrap_or_else(|| unsigned(got.content_length()));
        let info = info(key, size, got.e_tag(), got.last_modified());
        let metadata = metadata(got.metadata());
        let bytes = got.body.collect().await.map_err(|e| io("reading", key, e))?.into_bytes();
        Ok(Object { info, bytes, metadata })
    }

    async fn try_create(
        &self,
        key: &str,
        body: ByteStream,
        attempt: &AttemptId,
        metadata: &[(&str, String)],
    ) -> Result<(), SdkError<aws_sdk_s3::operation::put_object::PutObjectError>> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .if_none_match("*")
            .metadata("attempt", &attempt.0);
        for (name, value) in metadata {
            request = request.metadata(*name, value);
        }
        request.body(body).send().await.map(drop)
    }

    /// Whether the object that is there is an earlier write of ours whose answer was lost.
    async fn whose(&self, key: &str, attempt: &AttemptId) -> Result<Created, BucketError> {
        let found = self.head(key).await?;
        let ours = found.is_some_and(|o| o.metadata("attempt") == Some(&attempt.0));
        Ok(if ours { Created::Now } else { Created::Before })
    }
}

#[async_trait]
impl Bucket for S3Bucket {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        self.get_with(key, etag, None).await
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        self.get_with(key, None, Some(format!("bytes=-{bytes}"))).await
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => {
                let (size, modified) = (unsigned(head.content_length()), head.last_modified());
                let info = info(key, size, head.e_tag(), modified);
                let metadata = metadata(head.metadata());
                Ok(Some(Object { info, bytes: Bytes::new(), metadata }))
            }
            Err(e) => match failed("looking up", key, &e) {
                e if e.is_not_found() => Ok(None),
                e => Err(e),
            },
        }
    }

    async fn create(
        &self,
        key: &str,
        body: Body,
        attempt: &AttemptId,
        metadata: &[(&str, String)],
    ) -> Result<Created, BucketError> {
        let body = match body {
            Body::Bytes(bytes) => ByteStream::from(bytes),
            Body::File(file) => body::from_file(file).map_err(|e| io("spooling", key, e))?,
            // an open file outlives its name
            Body::Path(path) => {
                File::open(&path).and_then(body::from_file).map_err(|e| io("spooling", key, e))?
            }
        };
        let mut conflicts = 0;
        let body = body.into_inner();
        loop {
            let Some(again) = body.try_clone() else {
                return Err(io("sending the body of", key, "it cannot be sent twice"));
            };
            let sent = self.try_create(key, ByteStream::new(again), attempt, metadata).await;
            match sent {
                Ok(()) => return Ok(Created::Now),
                Err(e) => match status(&e) {
                    Some(412) => return self.whose(key, attempt).await,
                    Some(409) if conflicts < CONFLICT_RETRIES => conflicts += 1,
                    _ => return Err(failed("creating", key, &e)),
                },
            }
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError> {
        let source = format!("{}/{}", self.name, utf8_percent_encode(from, COPY_SOURCE));
        let request = self.client.copy_object().bucket(&self.name).key(to).copy_source(source);
        request.send().await.map_err(|e| failed("copying", from, &e))?;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut objects = vec![];
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| failed("listing", prefix, &e))?;
            objects.extend(page.contents.unwrap_or_default().into_iter().map(|o| {
                let key = o.key().unwrap_or_default();
                info(key, unsigned(o.size()), o.e_tag(), o.last_modified())
            }));
        }
        Ok(objects)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        for batch in keys.chunks(DELETE_BATCH) {
            let objects = batch.iter().map(|k| ObjectIdentifier::builder().key(k).build());
            let objects = objects.collect::<Result<Vec<_>, _>>();
            let delete = objects
                .and_then(|o| Delete::builder().set_objects(Some(o)).quiet(true).build())
                .map_err(|e| io("deleting", &batch[0], e))?;
            let request = self.client.delete_objects().bucket(&self.name).delete(delete);
            let done = request.send().await.map_err(|e| failed("deleting", &batch[0], &e))?;
            if let Some(e) = done.errors().first() {
                let what = e.message().unwrap_or("no reason given").to_owned();
                return Err(io("deleting", e.key().unwrap_or_default(), what));
            }
        }
        Ok(())
    }
}

fn info(key: &str, size: u64, etag: Option<&str>, modified: Option<&DateTime>) -> ObjectInfo {
    let etag = etag.unwrap_or_default().trim_matches('"').to_owned();
    let modified =
        modified.and_then(|m| chrono::DateTime::from_timestamp(m.secs(), m.subsec_nanos()));
    ObjectInfo { key: key.to_owned(), size, etag, modified: modified.unwrap_or_default() }
}

fn unsigned(n: Option<i64>) -> u64 {
    n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

fn metadata(found: Option<&std::collections::HashMap<String, String>>) -> Vec<(String, String)> {
    found.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|r| r.status().as_u16())
}

fn failed<E>(action: &'static str, key: &str, error: &SdkError<E>) -> BucketError
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

fn io(
    action: &'static str,
    key: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> BucketError {
    BucketError::Io { action, key: key.into(), source: source.into() }
}
