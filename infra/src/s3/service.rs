//! The S3 operations on a folder.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::Pairs;
use super::body::{self, Spooled, Upload as UploadBody};
use super::condition::{self, OfRead};
use super::describe::{
    describe, describe_checksums, http_date, meta_of, wants_checksums, without_chunking,
};
use super::failed;
use super::folder::{Condition, Folder, FolderError, Info, Meta};
use super::listing::{self, Page, is_url_encoded, token, token_key, url_encode};
use super::notify::{Notifications, ObjectChange};
use super::ranges::{copy_range, range_of};
use super::tags;
use crate::iam::{Access, Caller, key_arn};

#[derive(Clone)]
pub(super) struct FolderS3 {
    pub(super) folder: Arc<Folder>,
    notifications: Arc<Notifications>,
}

impl FolderS3 {
    pub(super) fn new(folder: Arc<Folder>, notifications: Notifications) -> Self {
        Self { folder, notifications: Arc::new(notifications) }
    }

    /// Makes a spooled upload the object, and tells of it.
    pub(super) fn commit(
        &self,
        event: &str,
        (bucket, key): (&str, &str),
        spooled: &Spooled,
        meta: Meta,
        condition: Option<&Condition>,
    ) -> S3Result<Meta> {
        let (etag, checksums) = (spooled.etag.clone(), spooled.checksums.clone());
        let meta = Meta { etag, checksums, ..meta };
        self.folder.commit(bucket, key, &spooled.path, meta.clone(), condition)?;
        let (size, etag) = (spooled.size, meta.etag.as_str());
        self.notifications.publish(&ObjectChange { event, bucket, key, size, etag });
        Ok(meta)
    }

    fn remove(&self, bucket: &str, key: &str, condition: Option<&Condition>) -> S3Result<()> {
        match self.folder.delete(bucket, key, condition) {
            Ok(true) => {
                let event = "ObjectRemoved:Delete";
                self.notifications.publish(&ObjectChange { event, bucket, key, size: 0, etag: "" });
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn tag(&self, event: &str, (bucket, key): (&str, &str), tags: Pairs) -> S3Result<()> {
        let meta = self.folder.change_meta(bucket, key, |meta| meta.tags = tags)?;
        let etag = meta.etag.as_str();
        self.notifications.publish(&ObjectChange { event, bucket, key, size: 0, etag });
        Ok(())
    }

    /// Copies an object, or a range of it, into a spool file.
    pub(super) async fn spool_copy(
        &self,
        source: &CopySource,
        conditions: OfRead,
        range: Option<&str>,
    ) -> S3Result<(Spooled, Info)> {
        let CopySource::Bucket { bucket, key, .. } = source else {
            return Err(s3_error!(NotImplemented, "access points are not supported"));
        };
        let (file, info) = self.folder.open_object(bucket, key)?;
        conditions.check(&info).map_err(|_| FolderError::Precondition)?;
        let (first, length) = match range {
            None => (0, info.size),
            Some(range) => copy_range(range, info.size)?,
        };
        let path = self.folder.spool();
        let to = path.clone();
        let copied =
            tokio::task::spawn_blocking(move || body::copy(file, first, length, &to)).await;
        let (size, etag) = copied.map_err(failed)?.map_err(failed)?;
        let checksums = if range.is_none() { info.meta.checksums.clone() } else { Pairs::new() };
        Ok((Spooled { path, size, etag, checksums }, info))
    }
}

pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn ok<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

/// Whether whoever asks may delete a key: one of many in a request.
fn may_delete(caller: Option<&Caller>, bucket: &str, key: &str) -> S3Result<()> {
    let Some(caller) = caller else { return Ok(()) };
    let access = Access { action: "s3:DeleteObject", resource: key_arn(bucket, key) };
    caller.check(&access).map_err(|why| s3_error!(AccessDenied, "{why}"))
}

#[async_trait::async_trait]
impl S3 for FolderS3 {
    async fn list_buckets(
        &self,
        _: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.folder.buckets().map_err(failed)?;
        let buckets = buckets.into_iter().map(|(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(created.into()),
            ..Default::default()
        });
        ok(ListBucketsOutput { buckets: Some(buckets.collect()), ..Default::default() })
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = req.input.bucket;
        if !self.folder.create_bucket(&bucket).map_err(failed)? {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "the bucket {bucket} exists already"));
        }
        ok(CreateBucketOutput { location: Some(format!("/{bucket}")) })
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        if !self.folder.delete_bucket(&req.input.bucket)? {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        ok(DeleteBucketOutput::default())
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.folder.bucket(&req.input.bucket)?;
        ok(HeadBucketOutput::default())
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.folder.bucket(&req.input.bucket)?;
        ok(GetBucketLocationOutput::default())
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = req.input;
        self.folder.bucket(&input.bucket)?;
        let condition = condition::of_write(input.if_match.take(), input.if_none_match.take())?;
        let tags = tags::of_header(input.tagging.as_deref())?;
        let upload = UploadBody {
            body: input.body.take(),
            length: input.content_length,
            headers: &req.headers,
            extensions: &req.extensions,
            trailers: req.trailing_headers,
        };
        let spooled = upload.receive(&self.folder).await?;
        let at = (input.bucket.as_str(), input.key.as_str());
        let meta = Meta { tags, ..meta_of!(input) };
        let meta = self.commit("ObjectCreated:Put", at, &spooled, meta, condition.as_ref())?;
        let mut output =
            PutObjectOutput { e_tag: Some(ETag::Strong(meta.etag)), ..Default::default() };
        describe_checksums!(output, meta.checksums);
        ok(output)
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let (file, info) = self.folder.open_object(&input.bucket, &input.key)?;
        let conditions = OfRead {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&info)?;
        let range = range_of(input.range, info.size)?;
        let (first, length) = range.unwrap_or((0, info.size));
        let mut output = GetObjectOutput {
            body: Some(body::send(file, first, length)?),
            content_length: Some(signed(length)),
            ..Default::default()
        };
        describe!(output, info, range.is_none() && wants_checksums(input.checksum_mode.as_ref()));
        output.tag_count = tags::count(&info.meta);
        let overrides = [
            (&mut output.content_type, input.response_content_type),
            (&mut output.content_encoding, input.response_content_encoding),
            (&mut output.content_disposition, input.response_content_disposition),
            (&mut output.content_language, input.response_content_language),
            (&mut output.cache_control, input.response_cache_control),
        ];
        for (value, replacement) in overrides {
            if replacement.is_some() {
                *value = replacement;
            }
        }
        if range.is_some() {
            let last = first + length - 1;
            output.content_range = Some(format!("bytes {first}-{last}/{}", info.size));
            return Ok(S3Response::with_status(output, hyper::StatusCode::PARTIAL_CONTENT));
        }
        ok(output)
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let info = self.folder.info(&input.bucket, &input.key)?;
        let conditions = OfRead {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&info)?;
        let range = range_of(input.range, info.size)?;
        let (first, length) = range.unwrap_or((0, info.size));
        let mut output =
            HeadObjectOutput { content_length: Some(signed(length)), ..Default::default() };
        describe!(output, info, range.is_none() && wants_checksums(input.checksum_mode.as_ref()));
        let mut response = S3Response::new(output);
        if range.is_some() {
            let last = first + length - 1;
            response.output.content_range = Some(format!("bytes {first}-{last}/{}", info.size));
            response.status = Some(hyper::StatusCode::PARTIAL_CONTENT);
        }
        response.headers.extend(tags::count_header(&info.meta));
        Ok(response)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        let condition = condition::of_write(input.if_match, None)?;
        self.remove(&input.bucket, &input.key, condition.as_ref())?;
        ok(DeleteObjectOutput::default())
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let caller = req.extensions.get::<Caller>().cloned();
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        self.folder.bucket(&bucket)?;
        if delete.objects.len() > 1000 || delete.objects.is_empty() {
            return Err(s3_error!(MalformedXML, "from 1 to 1000 objects can be deleted at once"));
        }
        let (this, quiet) = (self.clone(), delete.quiet.unwrap_or(false));
        let work = move || {
            let (mut deleted, mut errors) = (vec![], vec![]);
            for object in delete.objects {
                let key = Some(object.key.clone());
                let condition = object.e_tag.map(|e| Condition::Etag(Some(e.into_value())));
                let removed = may_delete(caller.as_ref(), &bucket, &object.key)
                    .and_then(|()| this.remove(&bucket, &object.key, condition.as_ref()));
                match removed {
                    Ok(()) => deleted.push(DeletedObject { key, ..Default::default() }),
                    Err(e) => errors.push(Error {
                        key,
                        code: Some(e.code().as_str().to_owned()),
                        message: e.message().map(str::to_owned),
                        ..Default::default()
                    }),
                }
            }
            (deleted, errors)
        };
        let (deleted, errors) = tokio::task::spawn_blocking(work).await.map_err(failed)?;
        let deleted = (!quiet).then_some(deleted);
        ok(DeleteObjectsOutput { deleted, errors: Some(errors), ..Default::default() })
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        self.folder.bucket(&input.bucket)?;
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        if let CopySource::Bucket { bucket, key, .. } = &input.copy_source
            && **bucket == *input.bucket
            && **key == *input.key
            && !replace
        {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata"
            ));
        }
        let tags = tags::of_header(input.tagging.as_deref())?;
        let conditions = OfRead {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input.copy_source_if_modified_since.clone(),
            if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
        };
        let (spooled, info) = self.spool_copy(&input.copy_source, conditions, None).await?;
        let tags = match input.tagging_directive.as_ref().map(TaggingDirective::as_str) {
            Some(TaggingDirective::REPLACE) => tags,
            _ => info.meta.tags.clone(),
        };
        let meta = if replace { meta_of!(input) } else { info.meta };
        let meta = Meta { tags, ..meta };
        let at = (input.bucket.as_str(), input.key.as_str());
        let meta = self.commit("ObjectCreated:Copy", at, &spooled, meta, None)?;
        let info = self.folder.info(&input.bucket, &input.key)?;
        let mut result = CopyObjectResult {
            e_tag: Some(ETag::Strong(meta.etag)),
            last_modified: Some(info.modified.into()),
            ..Default::default()
        };
        describe_checksums!(result, meta.checksums);
        ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let info = self.folder.info(&req.input.bucket, &req.input.key)?;
        ok(GetObjectTaggingOutput { tag_set: tags::to_set(info.meta.tags), version_id: None })
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let PutObjectTaggingInput { bucket, key, tagging, .. } = req.input;
        self.tag("ObjectTagging:Put", (&bucket, &key), tags::of_set(tagging.tag_set)?)?;
        ok(PutObjectTaggingOutput::default())
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let at = (req.input.bucket.as_str(), req.input.key.as_str());
        self.tag("ObjectTagging:Delete", at, Pairs::new())?;
        let no_content = hyper::StatusCode::NO_CONTENT;
        Ok(S3Response::with_status(DeleteObjectTaggingOutput::default(), no_content))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let url_encoded = is_url_encoded(input.encoding_type.as_ref());
        let continued = input.continuation_token.as_deref().map(token_key).transpose()?;
        let page = Page {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|d| !d.is_empty()),
            after: continued.or_else(|| input.start_after.clone()),
            max: Page::max(input.max_keys)?,
            url_encoded,
        };
        let max_keys = i32::try_from(page.max).ok();
        let encode =
            |text: Option<String>| text.map(|t| if url_encoded { url_encode(&t) } else { t });
        let (objects, prefixes, next) = listing::page(&self.folder, &input.bucket, page).await?;
        ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix).unwrap_or_default()),
            delimiter: encode(input.delimiter),
            start_after: encode(input.start_after),
            encoding_type: input.encoding_type,
            max_keys,
            key_count: i32::try_from(objects.len() + prefixes.len()).ok(),
            is_truncated: Some(next.is_some()),
            continuation_token: input.continuation_token,
            next_continuation_token: next.map(|key| token(&key)),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            ..Default::default()
        })
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let url_encoded = is_url_encoded(input.encoding_type.as_ref());
        let page = Page {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|d| !d.is_empty()),
            after: input.marker.clone(),
            max: Page::max(input.max_keys)?,
            url_encoded,
        };
        let max_keys = i32::try_from(page.max).ok();
        let encode =
            |text: Option<String>| text.map(|t| if url_encoded { url_encode(&t) } else { t });
        let (objects, prefixes, next) = listing::page(&self.folder, &input.bucket, page).await?;
        ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix).unwrap_or_default()),
            marker: Some(encode(input.marker).unwrap_or_default()),
            // S3 names the next marker only where a delimiter may hide it
            next_marker: encode(next.clone()).filter(|_| input.delimiter.is_some()),
            delimiter: encode(input.delimiter),
            encoding_type: input.encoding_type,
            max_keys,
            is_truncated: Some(next.is_some()),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            ..Default::default()
        })
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.begin_upload(req).await
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.receive_part(req).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.copy_part(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete_upload(req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort_upload(req).await
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        self.parts_of_upload(req).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.open_uploads(req).await
    }
}
