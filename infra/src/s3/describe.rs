//! What requests state of an object, and what answers tell of it: the same fields in many types.

use s3s::dto::{ChecksumMode, Timestamp, TimestampFormat};

/// The metadata that a write states.
macro_rules! meta_of {
    ($input:expr) => {{
        let mut headers = Pairs::new();
        let stated = [
            ("content-type", $input.content_type.clone()),
            ("content-encoding", $input.content_encoding.as_deref().and_then(without_chunking)),
            ("expires", $input.expires.as_ref().and_then(http_date)),
            ("content-disposition", $input.content_disposition.clone()),
            ("content-language", $input.content_language.clone()),
            ("cache-control", $input.cache_control.clone()),
        ];
        for (name, value) in stated {
            if let Some(value) = value {
                headers.insert(name.to_owned(), value);
            }
        }
        let user = $input.metadata.clone().unwrap_or_default().into_iter().collect();
        Meta { headers, user, ..Meta::default() }
    }};
}

/// Copies the metadata of an object into the answer of a read.
macro_rules! describe {
    ($output:expr, $info:expr, $with_checksums:expr) => {{
        let meta = &$info.meta;
        let header = |name: &str| meta.headers.get(name).cloned();
        $output.accept_ranges = Some("bytes".into());
        $output.e_tag = Some(ETag::Strong(meta.etag.clone()));
        $output.last_modified = Some($info.modified.into());
        $output.content_type =
            Some(header("content-type").unwrap_or_else(|| "binary/octet-stream".into()));
        $output.content_encoding = header("content-encoding");
        $output.content_disposition = header("content-disposition");
        $output.content_language = header("content-language");
        $output.cache_control = header("cache-control");
        let expires = header("expires");
        $output.expires =
            expires.and_then(|e| Timestamp::parse(TimestampFormat::HttpDate, &e).ok());
        $output.metadata = Some(meta.user.clone().into_iter().collect());
        if $with_checksums {
            describe_checksums!($output, meta.checksums);
            if !meta.checksums.is_empty() {
                $output.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
            }
        }
    }};
}

macro_rules! describe_checksums {
    ($output:expr, $checksums:expr) => {{
        let sum = |name: &str| $checksums.get(name).cloned();
        $output.checksum_crc32 = sum("crc32");
        $output.checksum_crc32c = sum("crc32c");
        $output.checksum_crc64nvme = sum("crc64nvme");
        $output.checksum_sha1 = sum("sha1");
        $output.checksum_sha256 = sum("sha256");
    }};
}

/// `aws-chunked` is how a body travels, not what it is.
pub(super) fn without_chunking(encoding: &str) -> Option<String> {
    let encodings = encoding.split(',').map(str::trim);
    let kept: Vec<_> = encodings.filter(|e| !e.is_empty() && *e != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn http_date(timestamp: &Timestamp) -> Option<String> {
    let mut text = vec![];
    timestamp.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

pub(super) fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|m| m.as_str() == ChecksumMode::ENABLED)
}

pub(super) use {describe, describe_checksums, meta_of};
