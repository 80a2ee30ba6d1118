//! Bodies on their way to and from files.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use hyper::HeaderMap;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};

use super::Pairs;
use super::checksum::{Digester, Expected, sha256_mismatch};
use super::credentials::Trailers;
use super::failed;
use super::folder::Folder;
use crate::hex::hex;

/// Bytes of a read: with 4 KiB a download is five times slower.
const CHUNK_BYTES: usize = 256 * 1024;

/// The most bytes of an object that is sent at once, or of a part.
const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// An upload in a spool file, which goes with this unless it was renamed.
#[derive(Debug)]
pub(super) struct Spooled {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// The MD5 of the bytes, in hexadecimal.
    pub(super) etag: String,
    pub(super) checksums: Pairs,
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // committed: it has another name now
    }
}

/// What a request says of its body.
pub(super) struct Upload<'a> {
    pub(super) body: Option<StreamingBlob>,
    pub(super) length: Option<i64>,
    pub(super) headers: &'a HeaderMap,
    pub(super) extensions: &'a hyper::http::Extensions,
    pub(super) trailers: Option<s3s::TrailingHeaders>,
}

impl Upload<'_> {
    /// Receives the body into a spool file and verifies it.
    pub(super) async fn receive(self, folder: &Folder) -> S3Result<Spooled> {
        let stated = self.length.and_then(|n| u64::try_from(n).ok());
        if stated.is_some_and(|n| n > OBJECT_BYTES_MAX) {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return Err(s3_error!(EntityTooLarge, "{message}"));
        }
        let mut expected = Expected::of(self.headers)?;
        let mut digester = Digester::new(&expected);
        let path = folder.spool();
        let mut spooled =
            Spooled { path: path.clone(), size: 0, etag: String::new(), checksums: Pairs::new() };
        let mut file = File::create_new(&path).map_err(failed)?;
        if let Some(mut body) = self.body {
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(|e| match e.to_string() {
                    // found by the protocol layer, where signatures are verified
                    text if text.contains("Sha256Mismatch") => sha256_mismatch(),
                    text => s3_error!(IncompleteBody, "{text}"),
                })?;
                digester.update(&chunk);
                file.write_all(&chunk).map_err(failed)?;
                spooled.size += chunk.len() as u64;
            }
        }
        if stated.is_some_and(|n| n != spooled.size) {
            return Err(s3_error!(IncompleteBody, "the body has {} bytes", spooled.size));
        }
        if let Some(trailers) = self.trailers.and_then(|t| t.take()) {
            expected.add_trailers(&trailers);
        }
        if let Some(trailers) = self.extensions.get::<Trailers>() {
            expected.add_trailers(&trailers.take());
        }
        let digests = digester.finish();
        spooled.checksums = expected.verify(&digests)?;
        spooled.etag = hex(&digests.md5);
        Ok(spooled)
    }
}

/// A range of a file as a response body.
pub(super) fn send(file: File, from: u64, length: u64) -> S3Result<StreamingBlob> {
    let mut file = file;
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    if length <= CHUNK_BYTES as u64 {
        let bytes = read_chunk(&mut file, length).map_err(failed)?;
        return Ok(StreamingBlob::from(s3s::Body::from(bytes)));
    }
    Ok(StreamingBlob::wrap(chunks(file, length)))
}

fn chunks(file: File, length: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync {
    let chunks = stream::unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || {
            let chunk = read_chunk(&mut file, left);
            (file, chunk)
        });
        match read.await {
            Ok((file, Ok(chunk))) => {
                let left = left - chunk.len() as u64;
                Some((Ok(chunk), (file, left)))
            }
            Ok((file, Err(e))) => Some((Err(e), (file, 0))),
            Err(_) => None,
        }
    });
    SyncStream(std::sync::Mutex::new(Box::pin(chunks)))
}

fn read_chunk(file: &mut File, left: u64) -> io::Result<Bytes> {
    let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES)];
    io::Read::read_exact(file, &mut chunk)?;
    Ok(chunk.into())
}

/// A stream that may be shared, since it is polled by one owner only.
struct SyncStream<S>(std::sync::Mutex<std::pin::Pin<Box<S>>>);

impl<S: Stream> Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        let this = self.get_mut();
        let inner = this.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.as_mut().poll_next(cx)
    }
}

/// Copies a range of a file to a new one; its size and the MD5 of its bytes in hexadecimal.
pub(super) fn copy(
    mut from: File,
    first: u64,
    length: u64,
    to: &Path,
) -> io::Result<(u64, String)> {
    from.seek(SeekFrom::Start(first))?;
    let mut to = File::create_new(to)?;
    let mut digester = Digester::new(&Expected::default());
    let mut left = length;
    while left > 0 {
        let chunk = read_chunk(&mut from, left)?;
        digester.update(&chunk);
        to.write_all(&chunk)?;
        left -= chunk.len() as u64;
    }
    Ok((length, hex(&digester.finish().md5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_large_for_one_request_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(dir.path().to_owned()).expect("a folder");
        for (bytes, code) in
            [(OBJECT_BYTES_MAX + 1, "EntityTooLarge"), (OBJECT_BYTES_MAX, "IncompleteBody")]
        {
            let upload = Upload {
                body: None,
                length: i64::try_from(bytes).ok(),
                headers: &HeaderMap::new(),
                extensions: &hyper::http::Extensions::new(),
                trailers: None,
            };
            let refused = upload.receive(&folder).await.expect_err("no body");
            assert_eq!(refused.code().as_str(), code);
        }
    }
}
