//! The protocol's bucket on S3.

use std::fs::File;
use std::ops::Range;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime, SdkBody};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidemill_protocol::bucket::{
    Body, Bucket, BucketError, Created, NewObject, Object, ObjectInfo,
};
use tidemill_protocol::ids::AttemptId;

use crate::body;
use crate::multipart::{Upload, Uploaded};
use crate::s3_error::{failed, io, status};

/// The most keys of one DeleteObjects request.
const DELETE_KEYS_MAX: usize = 1000;

/// How often a write is repeated that S3 answered with 409 (a concurrent conditional write).
const CONFLICT_RETRIES_MAX: u32 = 5;

/// The most bytes of an object that is written by one PUT (S3).
const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

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
    put_bytes: u64,
}

impl S3Bucket {
    /// The bucket of this name, as the client reaches it.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name, put_bytes: PUT_BYTES_MAX }
    }

    /// The bucket's tag of this name; nothing, if it has none, or does not tell us.
    pub async fn tag(&self, key: &str) -> Option<String> {
        let asked = self.client.get_bucket_tagging().bucket(&self.name).send().await.ok()?;
        let tag = asked.tag_set.into_iter().find(|tag| tag.key == key);
        tag.map(|tag| tag.value)
    }

    /// One that writes files of more than so many bytes in parts; S3 takes 5 GiB at once.
    #[must_use]
    pub fn with_put_bytes(self, put_bytes: u64) -> Self {
        Self { put_bytes, ..self }
    }

    /// The client that it is reached with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The name of the bucket.
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

    fn source(&self, body: Body) -> std::io::Result<Source> {
        let file = match body {
            Body::Bytes(bytes) => return Ok(Source::Whole(SdkBody::from(bytes))),
            Body::File(file) => file,
            // an open file outlives its name
            Body::Path(path) => File::open(path)?,
        };
        let size = file.metadata()?.len();
        Ok(if size > self.put_bytes {
            Source::Parts(file)
        } else {
            Source::Whole(body::of_range(file, 0..size))
        })
    }

    /// Creates an object by one PUT.
    async fn create_at_once(
        &self,
        key: &str,
        body: &SdkBody,
        attempt: &AttemptId,
        metadata: &[(&str, String)],
    ) -> Result<Uploaded, BucketError> {
        let Some(body) = body.try_clone() else {
            return Err(io("sending the body of", key, "it cannot be sent twice"));
        };
        let request = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
        let request = request.metadata("attempt", &attempt.0);
        let request = metadata.iter().fold(request, |r, (name, value)| r.metadata(*name, value));
        match request.body(ByteStream::new(body)).send().await {
            Ok(_) => Ok(Uploaded::Created),
            Err(e) => match status(&e) {
                Some(412) => Ok(Uploaded::Exists),
                Some(409) => Ok(Uploaded::Conflict),
                _ => Err(failed("creating", key, &e)),
            },
        }
    }

    fn upload<'a>(&'a self, key: &'a str) -> Upload<'a> {
        Upload { client: &self.client, bucket: &self.name, key }
    }

    /// Whether the object that is there is an earlier write of ours whose answer was lost.
    async fn whose(&self, key: &str, attempt: &AttemptId) -> Result<Created, BucketError> {
        match self.head(key).await? {
            Some(found) if found.metadata("attempt") == Some(&attempt.0) => Ok(Created::Now),
            Some(_) => Ok(Created::Before),
            None => Err(BucketError::NotFound { key: key.into() }),
        }
    }
}

/// What an object is made of.
enum Source {
    /// Sent again from its start if need be.
    Whole(SdkBody),
    /// Too large for one PUT.
    Parts(File),
}

#[async_trait]
impl Bucket for S3Bucket {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        self.get_with(key, etag, None).await
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        self.get_with(key, None, Some(format!("bytes=-{bytes}"))).await
    }

    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<Bytes, BucketError> {
        if range.is_empty() {
            return Ok(Bytes::new()); // which S3 has no form for
        }
        let last = range.end - 1;
        let range = format!("bytes={}-{last}", range.start);
        Ok(self.get_with(key, Some(etag), Some(range)).await?.bytes)
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

    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError> {
        let NewObject { key, body, attempt, metadata } = new;
        let source = self.source(body).map_err(|e| io("spooling", key, e))?;
        for _ in 0..=CONFLICT_RETRIES_MAX {
            let uploaded = match &source {
                Source::Whole(body) => self.create_at_once(key, body, attempt, metadata).await,
                Source::Parts(file) => self.upload(key).create(file, attempt, metadata).await,
            };
            match uploaded? {
                Uploaded::Created => return Ok(Created::Now),
                Uploaded::Exists => return self.whose(key, attempt).await,
                Uploaded::Conflict => {}
            }
        }
        Err(io("creating", key, "another write of it was under way each time"))
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
            objects.extend(page.contents.unwrap_or_default().iter().map(listed));
        }
        Ok(objects)
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<ObjectInfo>, BucketError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let request = request.set_start_after(after.map(str::to_owned)).max_keys(most);
        let page = request.send().await.map_err(|e| failed("listing", prefix, &e))?;
        Ok(page.contents.unwrap_or_default().iter().map(listed).collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        for batch in keys.chunks(DELETE_KEYS_MAX) {
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

fn listed(object: &aws_sdk_s3::types::Object) -> ObjectInfo {
    let (key, size) = (object.key().unwrap_or_default(), unsigned(object.size()));
    info(key, size, object.e_tag(), object.last_modified())
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
