//! Uploads in parts, as [`FolderS3`] does them.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::Pairs;
use super::body::Upload as UploadBody;
use super::condition::{self, OfRead};
use super::describe::{describe_checksums, http_date, meta_of, without_chunking};
use super::failed;
use super::folder::Meta;
use super::listing::Page;
use super::multipart::{self, Started, Upload};
use super::service::{FolderS3, ok, signed};
use super::tags;

impl FolderS3 {
    pub(super) async fn begin_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input;
        self.folder.bucket(&input.bucket)?;
        let tags = tags::of_header(input.tagging.as_deref())?;
        let started = Started {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            meta: Meta { tags, ..meta_of!(input) },
            initiated: std::time::SystemTime::now(),
        };
        let id = multipart::start(&self.folder, &started)?;
        ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            ..Default::default()
        })
    }

    pub(super) async fn receive_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let mut input = req.input;
        let number = part_number(input.part_number)?;
        let upload = Upload::find(&self.folder, &input.bucket, &input.key, &input.upload_id)?;
        let body = UploadBody {
            body: input.body.take(),
            length: input.content_length,
            headers: &req.headers,
            extensions: &req.extensions,
            trailers: req.trailing_headers,
        };
        let spooled = body.receive(&self.folder).await?;
        upload.add(number, &spooled)?;
        let mut output = UploadPartOutput {
            e_tag: Some(ETag::Strong(spooled.etag.clone())),
            ..Default::default()
        };
        describe_checksums!(output, spooled.checksums);
        ok(output)
    }

    pub(super) async fn copy_part(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = req.input;
        let number = part_number(input.part_number)?;
        let upload = Upload::find(&self.folder, &input.bucket, &input.key, &input.upload_id)?;
        let conditions = OfRead {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let range = input.copy_source_range.as_deref();
        let (spooled, _) = self.spool_copy(&input.copy_source, conditions, range).await?;
        upload.add(number, &spooled)?;
        let result = CopyPartResult {
            e_tag: Some(ETag::Strong(spooled.etag.clone())),
            last_modified: Some(std::time::SystemTime::now().into()),
            ..Default::default()
        };
        ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
    }

    pub(super) async fn complete_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = req.input;
        let condition = condition::of_write(input.if_match, input.if_none_match)?;
        let upload = Upload::find(&self.folder, &input.bucket, &input.key, &input.upload_id)?;
        let parts = input.multipart_upload.and_then(|u| u.parts).unwrap_or_default();
        let parts: Vec<_> = parts
            .into_iter()
            .map(|p| (p.part_number.unwrap_or(0), p.e_tag.map(ETag::into_value)))
            .collect();
        let folder = self.folder.clone();
        let join = move || upload.join(&folder, &parts).map(|spooled| (upload, spooled));
        let (upload, spooled) = tokio::task::spawn_blocking(join).await.map_err(failed)??;
        let at = (input.bucket.as_str(), input.key.as_str());
        let event = "ObjectCreated:CompleteMultipartUpload";
        let meta =
            self.commit(event, at, &spooled, upload.started.meta.clone(), condition.as_ref())?;
        upload.abort()?;
        ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(meta.etag)),
            ..Default::default()
        })
    }

    pub(super) async fn abort_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = req.input;
        Upload::find(&self.folder, &input.bucket, &input.key, &input.upload_id)?.abort()?;
        ok(AbortMultipartUploadOutput::default())
    }

    pub(super) async fn parts_of_upload(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let upload = Upload::find(&self.folder, &input.bucket, &input.key, &input.upload_id)?;
        let max = Page::max(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or(0);
        let parts = upload.parts().map_err(failed)?;
        let mut parts = parts.into_iter().filter(|(number, _)| *number > after);
        let page: Vec<_> = parts.by_ref().take(max).collect();
        let truncated = parts.next().is_some();
        let next = page.last().map(|(number, _)| *number).filter(|_| truncated);
        let parts = page.into_iter().map(|(number, part)| {
            let mut out = Part {
                part_number: Some(number),
                e_tag: Some(ETag::Strong(part.etag)),
                size: Some(signed(part.size)),
                last_modified: Some(part.modified.into()),
                ..Default::default()
            };
            describe_checksums!(out, part.checksums);
            out
        });
        ok(ListPartsOutput {
            parts: Some(parts.collect()),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            max_parts: i32::try_from(max).ok(),
            part_number_marker: Some(after),
            next_part_number_marker: next,
            is_truncated: Some(truncated),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..Default::default()
        })
    }

    pub(super) async fn open_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        self.folder.bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let max = Page::max(input.max_uploads)?;
        let after = (input.key_marker.clone().unwrap_or_default(), input.upload_id_marker.clone());
        let uploads = multipart::list(&self.folder, &input.bucket).map_err(failed)?;
        let (page, next) = multipart::page_of_uploads(uploads, &prefix, &after, max);
        let (next_key_marker, next_upload_id_marker) = next.unzip();
        let uploads = page.into_iter().map(|u| MultipartUpload {
            key: Some(u.started.key),
            upload_id: Some(u.id),
            initiated: Some(u.started.initiated.into()),
            ..Default::default()
        });
        ok(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            bucket: Some(input.bucket),
            prefix: input.prefix,
            max_uploads: i32::try_from(max).ok(),
            is_truncated: Some(next_key_marker.is_some()),
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            next_key_marker,
            next_upload_id_marker,
            ..Default::default()
        })
    }
}

fn part_number(number: i32) -> S3Result<i32> {
    if (1..=10_000).contains(&number) {
        return Ok(number);
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}
