//! Digests of uploads: the ETag, and whatever checksums the client states.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::Pairs;
use crate::hex::hex;

/// The checksum algorithms by the end of their header's name.
const ALGORITHMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

const PREFIX: &str = "x-amz-checksum-";

/// What an upload must come to.
#[derive(Debug, Default)]
pub(super) struct Expected {
    checksums: Pairs,
    md5: Option<String>,
    sha256_hex: Option<String>,
    /// Algorithms whose value comes after the body, or is only to be computed.
    announced: Vec<String>,
}

impl Expected {
    pub(super) fn of(headers: &HeaderMap) -> S3Result<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        let mut expected = Self { md5: text("content-md5"), ..Self::default() };
        if let Some(md5) = &expected.md5
            && STANDARD.decode(md5).map_or(0, |b| b.len()) != 16
        {
            return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."));
        }
        for algorithm in ALGORITHMS {
            if let Some(value) = text(&format!("{PREFIX}{algorithm}")) {
                expected.checksums.insert(algorithm.to_owned(), value);
            }
        }
        expected.sha256_hex = text("x-amz-content-sha256")
            .filter(|v| v.len() == 64 && v.bytes().all(|b| b.is_ascii_hexdigit()));
        let trailers = text("x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
        let trailers = trailers.split(',').filter_map(|t| t.trim().strip_prefix(PREFIX));
        expected.announced = trailers.map(str::to_owned).collect();
        let named =
            text("x-amz-sdk-checksum-algorithm").or_else(|| text("x-amz-checksum-algorithm"));
        expected.announced.extend(named.map(|a| a.to_ascii_lowercase()));
        Ok(expected)
    }

    fn hasher(&self) -> ChecksumHasher {
        let wanted =
            |a: &str| self.checksums.contains_key(a) || self.announced.iter().any(|n| n == a);
        ChecksumHasher {
            crc32: wanted("crc32").then(Default::default),
            crc32c: wanted("crc32c").then(Default::default),
            crc64nvme: wanted("crc64nvme").then(Default::default),
            sha1: wanted("sha1").then(Default::default),
            sha256: (wanted("sha256") || self.sha256_hex.is_some()).then(Default::default),
        }
    }

    /// The values that came after the body.
    pub(super) fn add_trailers(&mut self, trailers: &HeaderMap) {
        for algorithm in ALGORITHMS {
            let value = trailers.get(format!("{PREFIX}{algorithm}")).and_then(|v| v.to_str().ok());
            if let Some(value) = value {
                self.checksums.insert(algorithm.to_owned(), value.trim().to_owned());
            }
        }
    }

    /// Compares; the checksums that are kept with the object.
    pub(super) fn verify(&self, digests: &Digests) -> S3Result<Pairs> {
        if let Some(md5) = &self.md5
            && *md5 != STANDARD.encode(digests.md5)
        {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        if let Some(stated) = &self.sha256_hex {
            let computed = digests.checksums.get("sha256").and_then(|b| STANDARD.decode(b).ok());
            if computed.map(|b| hex(&b)).as_ref() != Some(&stated.to_ascii_lowercase()) {
                return Err(sha256_mismatch());
            }
        }
        for (algorithm, stated) in &self.checksums {
            if digests.checksums.get(algorithm) != Some(stated) {
                return Err(s3_error!(
                    BadDigest,
                    "The {} you specified did not match what we received.",
                    algorithm.to_uppercase()
                ));
            }
        }
        let kept = |a: &String| self.checksums.contains_key(a) || self.announced.contains(a);
        let checksums = digests.checksums.iter().filter(|(a, _)| kept(a));
        Ok(checksums.map(|(a, v)| (a.clone(), v.clone())).collect())
    }
}

pub(super) fn sha256_mismatch() -> S3Error {
    let mut e = S3Error::with_message(
        S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
    e.set_status_code(hyper::StatusCode::BAD_REQUEST);
    e
}

/// Digests the bytes of an upload as they come.
pub(super) struct Digester {
    md5: Md5,
    checksums: ChecksumHasher,
}

/// What the bytes came to.
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    checksums: Pairs,
}

impl Digester {
    pub(super) fn new(expected: &Expected) -> Self {
        Self { md5: Md5::new(), checksums: expected.hasher() }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksums.update(bytes);
    }

    pub(super) fn finish(self) -> Digests {
        let sums = self.checksums.finalize();
        let all = [
            ("crc32", sums.checksum_crc32),
            ("crc32c", sums.checksum_crc32c),
            ("crc64nvme", sums.checksum_crc64nvme),
            ("sha1", sums.checksum_sha1),
            ("sha256", sums.checksum_sha256),
        ];
        let checksums = all.into_iter().filter_map(|(a, v)| Some((a.to_owned(), v?))).collect();
        Digests { md5: self.md5.finalize().into(), checksums }
    }
}

/// The ETag of a multipart upload: the MD5 of the parts' MD5s, and their number.
pub(super) fn multipart_etag(parts: &[String]) -> String {
    let mut md5 = Md5::new();
    for etag in parts {
        let bytes: Vec<u8> = (0..etag.len() / 2)
            .filter_map(|n| u8::from_str_radix(etag.get(2 * n..2 * n + 2)?, 16).ok())
            .collect();
        md5.update(&bytes);
    }
    format!("{}-{}", hex(&md5.finalize()), parts.len())
}
