//! Byte ranges of requests.

use s3s::dto::Range;
use s3s::{S3Result, s3_error};

/// The first byte and the length of the range of a copy.
pub(super) fn copy_range(range: &str, size: u64) -> S3Result<(u64, u64)> {
    let parsed = range.strip_prefix("bytes=").and_then(|r| r.split_once('-'));
    let parsed = parsed.and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
    match parsed {
        Some((first, last)) if first <= last && last < size => Ok((first, last - first + 1)),
        Some(_) => Err(s3_error!(InvalidRange, "the range is outside the source")),
        None => Err(s3_error!(InvalidArgument, "the range must be bytes=first-last")),
    }
}

/// The first byte and the length of what a read asks for.
pub(super) fn range_of(range: Option<Range>, size: u64) -> S3Result<Option<(u64, u64)>> {
    let unsatisfiable = || {
        let mut e = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let mut headers = hyper::HeaderMap::new();
        if let Ok(value) = format!("bytes */{size}").parse() {
            headers.insert(hyper::header::CONTENT_RANGE, value);
        }
        e.set_headers(headers);
        e
    };
    match range {
        None => Ok(None),
        Some(Range::Int { first, .. }) if first >= size => Err(unsatisfiable()),
        Some(Range::Int { first, last }) => {
            let last = last.map_or(size - 1, |l| l.min(size - 1));
            if last < first {
                return Ok(None); // not a range: the whole object
            }
            Ok(Some((first, last - first + 1)))
        }
        Some(Range::Suffix { length }) if length == 0 || size == 0 => Err(unsatisfiable()),
        Some(Range::Suffix { length }) => {
            let length = length.min(size);
            Ok(Some((size - length, length)))
        }
    }
}
