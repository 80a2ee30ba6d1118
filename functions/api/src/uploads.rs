//! Files that users upload: the bucket takes them, and a link says that it may.

use chrono::Utc;
use tidemill_aws::links::{Link, WriteIf};
use tidemill_protocol::bucket::BucketError;
use tidemill_protocol::{Key, is_hidden, is_table_folder};

use crate::answers::{NewUpload, Upload, UploadParts, UploadRequest, UploadedParts};
use crate::api::{self, Api};
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::results::LINK_VALID;

/// What S3 takes in one PUT.
const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// What S3 takes as one object.
const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// Parts of an upload: a thousand links are about 2 MB.
const PARTS_MAX: u64 = 1000;

const PART_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// The longest key of S3, in bytes.
const KEY_BYTES_MAX: usize = 1024;

pub(crate) async fn begin(api: &Api, request: &Request) -> Result<Response, Problem> {
    let NewUpload { key, bytes, etag } = api::body(request)?;
    check_key(&key)?;
    let bytes = bytes.unwrap_or(0);
    if bytes > OBJECT_BYTES_MAX {
        let why = format!("bytes is {bytes}: an object may have {OBJECT_BYTES_MAX}");
        return Err(Problem::of_member("/bytes", why));
    }
    let expires = Utc::now() + LINK_VALID;
    if bytes <= PUT_BYTES_MAX {
        let Link { method, url, headers } =
            api.bucket.write_link(&key, &write_if(etag)?, LINK_VALID).await?;
        let headers = headers.into_iter().collect();
        let whole = Upload::Whole(UploadRequest { key, method, url, headers, expires });
        return Ok(Response::json(201, &whole));
    }
    let part_bytes = bytes.div_ceil(PARTS_MAX).max(PART_BYTES_MIN);
    let upload = api.bucket.begin_upload(&key).await?;
    let mut urls = vec![];
    for part in 1..=i32::try_from(bytes.div_ceil(part_bytes)).unwrap_or(i32::MAX) {
        urls.push(api.bucket.part_link(&key, &upload, part, LINK_VALID).await?.url);
    }
    let parts = Upload::Parts(UploadParts { key, upload, part_bytes, urls, expires });
    Ok(Response::json(201, &parts))
}

pub(crate) async fn complete(api: &Api, request: &Request) -> Result<Response, Problem> {
    let UploadedParts { key, upload, etags, etag } = api::body(request)?;
    check_key(&key)?;
    if etags.is_empty() {
        return Err(Problem::of_member("/etags", "etags is empty: a file has one part at least"));
    }
    if upload.is_empty() {
        return Err(Problem::of_member("/upload", "upload is empty: POST /uploads gives it"));
    }
    let parts: Vec<(i32, String)> = (1..).zip(etags).collect();
    let completed = api.bucket.complete_upload(&key, &upload, &parts, &write_if(etag)?).await;
    completed.map_err(|e| match e {
        BucketError::NotFound { key } => {
            Problem::new(404, format!("there is no upload {upload} of {key}"))
        }
        other => other.into(),
    })?;
    Ok(api::done())
}

fn write_if(etag: Option<String>) -> Result<WriteIf, Problem> {
    let Some(etag) = etag else { return Ok(WriteIf::Absent) };
    match !etag.is_empty() && etag.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(WriteIf::Is(etag.trim_matches('"').to_owned())),
        false => Err(Problem::of_member("/etag", "etag is that of an object: letters and digits")),
    }
}

/// Uploads go where users keep files: nobody uploads what is a run's own, or a job past its checks.
fn check_key(key: &str) -> Result<(), Problem> {
    // a file beside the folders of tables belongs to none
    let is_of_table = key.strip_prefix(Key::TABLES).is_some_and(|rest| rest.contains('/'));
    let is_users = key.starts_with(Key::INBOX) || is_of_table;
    let is_schema = key.strip_suffix("_schema.json").is_some_and(is_table_folder);
    let is_odd = key.split('/').any(str::is_empty) || key.contains(|c: char| c.is_control());
    if is_users && !is_odd && (!is_hidden(key) || is_schema) && key.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    let why = format!(
        "key is '{key}': it must be a file under {} or in the folder of a table under {}, in folders that begin with no . or _, \
         in at most {KEY_BYTES_MAX} bytes",
        Key::INBOX,
        Key::TABLES
    );
    Err(Problem::of_member("/key", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_go_to_tables_and_the_inbox_only() {
        for key in
            ["inbox/a.csv", "tables/t/a.parquet", "tables/t/_schema.json", "tables/t/x=1/a b.csv"]
        {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        for key in [
            "",
            "inbox/",
            "tables/a.csv",
            "tables/_schema.json",
            "tables/_t/_schema.json",
            "tables/t/a\nb",
            "jobs/a.sql",
            "tables/t/_a",
            "inbox//a",
            "tables/../jobs/a.sql",
            "inbox/.a",
        ] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }
}
