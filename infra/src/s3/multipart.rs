//! Multipart uploads: a folder each, with a file for every part.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::Pairs;
use super::body::Spooled;
use super::checksum::multipart_etag;
use super::failed;
use super::folder::{Folder, Meta};

/// The least size of a part that is not the last, in bytes.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// What an upload was started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) meta: Meta,
    pub(super) initiated: SystemTime,
}

/// A part that was uploaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    #[serde(default)]
    pub(super) checksums: Pairs,
}

/// An open upload.
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) started: Started,
    path: PathBuf,
}

fn uploads(folder: &Folder) -> PathBuf {
    folder.private("uploads")
}

pub(super) fn start(folder: &Folder, started: &Started) -> S3Result<String> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let path = uploads(folder).join(&id);
    fs::create_dir_all(&path).map_err(failed)?;
    write_json(&path.join("upload.json"), started).map_err(failed)?;
    Ok(id)
}

/// All open uploads of a bucket, by key and start.
pub(super) fn list(folder: &Folder, bucket: &str) -> io::Result<Vec<Upload>> {
    let mut found = vec![];
    let Ok(entries) = fs::read_dir(uploads(folder)) else { return Ok(found) };
    for entry in entries {
        let path = entry?.path();
        let Some(id) = path.file_name().and_then(|n| n.to_str()).map(str::to_owned) else {
            continue;
        };
        let Ok(started) = read_json::<Started>(&path.join("upload.json")) else { continue };
        if started.bucket == bucket {
            found.push(Upload { id, started, path });
        }
    }
    found.sort_by(|a, b| {
        (&a.started.key, a.started.initiated).cmp(&(&b.started.key, b.started.initiated))
    });
    Ok(found)
}

impl Upload {
    pub(super) fn find(folder: &Folder, bucket: &str, key: &str, id: &str) -> S3Result<Self> {
        let missing = || s3_error!(NoSuchUpload, "The specified multipart upload does not exist.");
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(missing());
        }
        let path = uploads(folder).join(id);
        let started: Started = read_json(&path.join("upload.json")).map_err(|_| missing())?;
        if started.bucket != bucket || started.key != key {
            return Err(missing());
        }
        Ok(Self { id: id.to_owned(), started, path })
    }

    pub(super) fn add(&self, number: i32, spooled: &Spooled) -> S3Result<()> {
        let part = Part {
            etag: spooled.etag.clone(),
            size: spooled.size,
            modified: SystemTime::now(),
            checksums: spooled.checksums.clone(),
        };
        // the number's record is what counts: a part that is sent again replaces the first
        let added = fs::rename(&spooled.path, self.data(number, &part.etag)).and_then(|()| {
            let record = self.path.join(format!("{}.spool", uuid::Uuid::new_v4().simple()));
            write_json(&record, &part)?;
            fs::rename(record, self.path.join(format!("{number:05}.json")))
        });
        added.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                s3_error!(NoSuchUpload, "The upload was completed or aborted.")
            }
            _ => failed(e),
        })
    }

    fn data(&self, number: i32, etag: &str) -> PathBuf {
        self.path.join(format!("{number:05}-{etag}"))
    }

    pub(super) fn parts(&self) -> io::Result<BTreeMap<i32, Part>> {
        let mut parts = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let number = name.strip_suffix(".json").and_then(|n| n.parse().ok());
            if let Some(number) = number {
                parts.insert(number, read_json(&path)?);
            }
        }
        Ok(parts)
    }

    pub(super) fn abort(self) -> S3Result<()> {
        fs::remove_dir_all(&self.path).map_err(failed)
    }

    /// Joins parts into a spool file; the upload stays until the object is committed.
    pub(super) fn join(
        &self,
        folder: &Folder,
        wanted: &[(i32, Option<String>)],
    ) -> S3Result<Spooled> {
        let parts = self.parts().map_err(failed)?;
        let chosen = choose(&parts, wanted)?;
        let mut spooled = Spooled {
            path: folder.spool(),
            size: 0,
            etag: multipart_etag(&chosen.iter().map(|(_, p)| p.etag.clone()).collect::<Vec<_>>()),
            checksums: Pairs::new(),
        };
        let mut file = File::create_new(&spooled.path).map_err(failed)?;
        for (number, part) in chosen {
            let data = self.data(number, &part.etag);
            let mut part = File::open(data).map_err(failed)?;
            spooled.size += io::copy(&mut part, &mut file).map_err(failed)?;
        }
        Ok(spooled)
    }
}

/// The uploads behind a marker (a key, and perhaps one of its uploads), and the next marker.
pub(super) fn page_of_uploads(
    uploads: Vec<Upload>,
    prefix: &str,
    (key, id): &(String, Option<String>),
    max: usize,
) -> (Vec<Upload>, Option<(String, String)>) {
    let marked = uploads.iter().position(|u| id.as_ref() == Some(&u.id) && u.started.key == *key);
    let is_behind = |n: usize, u: &Upload| match (id, marked) {
        (Some(_), Some(marked)) => n > marked,
        // the marked upload is gone: rather repeat some than lose any
        (Some(_), None) => u.started.key >= *key,
        (None, _) => u.started.key > *key,
    };
    let mut behind = uploads
        .into_iter()
        .enumerate()
        .filter(|(n, u)| u.started.key.starts_with(prefix) && is_behind(*n, u))
        .map(|(_, upload)| upload);
    let page: Vec<_> = behind.by_ref().take(max).collect();
    let more = behind.next().is_some();
    let next = page.last().filter(|_| more).map(|u| (u.started.key.clone(), u.id.clone()));
    (page, next)
}

/// The parts that a completion names, which must be there, in order, and large enough.
fn choose<'a>(
    parts: &'a BTreeMap<i32, Part>,
    wanted: &[(i32, Option<String>)],
) -> S3Result<Vec<(i32, &'a Part)>> {
    if wanted.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    if !wanted.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
    }
    let mut chosen = vec![];
    for (number, etag) in wanted {
        let part = parts.get(number).filter(|p| etag.as_ref().is_none_or(|e| *e == p.etag));
        let part = part.ok_or_else(|| {
            s3_error!(InvalidPart, "One or more of the specified parts could not be found.")
        })?;
        chosen.push((*number, part));
    }
    let small = chosen.iter().rev().skip(1).any(|(_, part)| part.size < MIN_PART_BYTES);
    if small {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(chosen)
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    fs::write(path, serde_json::to_vec(value)?)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
