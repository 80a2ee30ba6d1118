//! Pages of lists.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::failed;
use super::folder::{Folder, FolderError, Info};
use super::list::{self, Item, Selection};

/// The most keys of a list.
pub(super) const MAX_KEYS: i32 = 1000;

/// What a list request asks for.
pub(super) struct Page {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    pub(super) after: Option<String>,
    pub(super) max: usize,
    pub(super) url_encoded: bool,
}

impl Page {
    pub(super) fn max(asked: Option<i32>) -> S3Result<usize> {
        let asked = asked.unwrap_or(MAX_KEYS);
        usize::try_from(asked.min(MAX_KEYS))
            .map_err(|_| s3_error!(InvalidArgument, "max-keys must be at least 0"))
    }

    fn encode(&self, text: &str) -> String {
        if self.url_encoded { url_encode(text) } else { text.to_owned() }
    }
}

pub(super) fn url_encode(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const SET: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'*')
        .remove(b'~');
    utf8_percent_encode(text, SET).to_string()
}

pub(super) fn is_url_encoded(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|e| e.as_str() == "url")
}

fn object(key: String, info: &Info) -> Object {
    Object {
        key: Some(key),
        size: i64::try_from(info.size).ok(),
        e_tag: Some(ETag::Strong(info.meta.etag.clone())),
        last_modified: Some(info.modified.into()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}

/// A continuation token is opaque: the last key, in hexadecimal.
pub(super) fn token(key: &str) -> String {
    crate::hex::hex(key.as_bytes())
}

pub(super) fn token_key(token: &str) -> S3Result<String> {
    let invalid = || s3_error!(InvalidArgument, "The continuation token provided is incorrect");
    let bytes = (0..token.len() / 2)
        .map(|n| u8::from_str_radix(token.get(2 * n..2 * n + 2)?, 16).ok())
        .collect::<Option<Vec<u8>>>()
        .filter(|b| !b.is_empty() && token.len().is_multiple_of(2))
        .ok_or_else(invalid)?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

/// A page of keys with what a list tells of each.
pub(super) async fn page(
    folder: &Arc<Folder>,
    bucket: &str,
    page: Page,
) -> S3Result<(Vec<Object>, Vec<CommonPrefix>, Option<String>)> {
    let root = folder.bucket(bucket)?;
    let (folder, bucket) = (folder.clone(), bucket.to_owned());
    let work = move || -> S3Result<_> {
        let selection = Selection {
            prefix: &page.prefix,
            delimiter: page.delimiter.as_deref(),
            after: page.after.as_deref(),
            max: page.max,
        };
        let (items, truncated) = list::list(&root, &selection).map_err(failed)?;
        let next = items.last().filter(|_| truncated).map(|i| i.name().to_owned());
        let (mut objects, mut prefixes) = (vec![], vec![]);
        for item in items {
            match item {
                Item::CommonPrefix(prefix) => {
                    prefixes.push(CommonPrefix { prefix: Some(page.encode(&prefix)) });
                }
                Item::Key(key) => match folder.info(&bucket, &key) {
                    Ok(info) => objects.push(object(page.encode(&key), &info)),
                    Err(FolderError::NoKey) => {} // deleted since
                    Err(e) => return Err(e.into()),
                },
            }
        }
        Ok((objects, prefixes, next))
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}
