//! Requests without a check of their signature.
//!
//! The protocol layer can only verify a signature against a known secret. Where any credentials
//! are accepted, the signature is taken off before the request reaches it, and with it what
//! signing does to a body: `aws-chunked` framing, whose chunks may end in checksum trailers.
//! A presigned URL still expires.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use futures::Stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE, RANGE,
};
use hyper::{HeaderMap, Request, Uri};
use s3s::dto::{Range, Timestamp, TimestampFormat};

/// The headers that came after a body.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    pub(super) fn take(&self) -> HeaderMap {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes the signature off requests.
pub(crate) struct Anonymous;

/// Why a request without its signature is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired;

impl Anonymous {
    pub(crate) fn strip(
        mut request: Request<hyper::body::Incoming>,
        now: DateTime<Utc>,
    ) -> Result<Request<s3s::Body>, Expired> {
        if let Some(query) = request.uri().query() {
            if is_expired(query, now) {
                return Err(Expired);
            }
            if query.contains("X-Amz-Signature") || query.contains("Signature=") {
                *request.uri_mut() = without_signature(request.uri());
            }
        }
        let headers = request.headers_mut();
        headers.remove(AUTHORIZATION);
        ignore_malformed(headers);
        let hash = headers.get("x-amz-content-sha256").cloned();
        let is_chunked = hash.is_some_and(|v| v.as_bytes().starts_with(b"STREAMING-"));
        if !is_chunked {
            return Ok(request.map(s3s::Body::from));
        }
        headers.remove("x-amz-content-sha256");
        headers.remove(CONTENT_LENGTH);
        if let Some(length) = headers.remove("x-amz-decoded-content-length") {
            headers.insert(CONTENT_LENGTH, length);
        }
        unwrap_encoding(headers);
        let trailers = Trailers::default();
        request.extensions_mut().insert(trailers.clone());
        Ok(request.map(|body| {
            let chunks = Chunks::new(body.into_data_stream(), trailers);
            s3s::Body::http_body_unsync(StreamBody::new(chunks))
        }))
    }
}

/// A range or a date that makes no sense is ignored, as RFC 9110 has it.
fn ignore_malformed(headers: &mut HeaderMap) {
    let makes_sense = |name: &HeaderName, text: &str| match *name {
        RANGE => Range::parse(text).is_ok(),
        _ => Timestamp::parse(TimestampFormat::HttpDate, text).is_ok(),
    };
    for name in [RANGE, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
        let found = headers.get(&name);
        if found.is_some_and(|v| !v.to_str().is_ok_and(|text| makes_sense(&name, text))) {
            headers.remove(&name);
        }
    }
}

/// Takes `aws-chunked` out of the content encodings.
fn unwrap_encoding(headers: &mut HeaderMap) {
    let Some(encoding) = headers.remove(CONTENT_ENCODING) else { return };
    let encodings = encoding.to_str().unwrap_or_default().split(',').map(str::trim);
    let kept: Vec<_> = encodings.filter(|e| !e.is_empty() && *e != "aws-chunked").collect();
    if let Ok(value) = HeaderValue::from_str(&kept.join(","))
        && !kept.is_empty()
    {
        headers.insert(CONTENT_ENCODING, value);
    }
}

fn is_expired(query: &str, now: DateTime<Utc>) -> bool {
    let value = |name: &str| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    if let Some(expires) = value("Expires").and_then(|e| e.parse::<i64>().ok()) {
        return now.timestamp() > expires; // signature version 2
    }
    let (Some(date), Some(seconds)) = (value("X-Amz-Date"), value("X-Amz-Expires")) else {
        return false;
    };
    let date = NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ");
    match (date, seconds.parse()) {
        (Ok(date), Ok(seconds)) => now > date.and_utc() + TimeDelta::seconds(seconds),
        _ => true,
    }
}

fn without_signature(uri: &Uri) -> Uri {
    const SIGNATURE: [&str; 9] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "AWSAccessKeyId",
        "Signature",
    ];
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !SIGNATURE.contains(&name) && name != "Expires"
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    let text =
        if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
    text.parse().unwrap_or_else(|_| uri.clone())
}

/// Decodes `aws-chunked`: `<hex size>[;signature]\r\n<bytes>\r\n … 0[;signature]\r\n<trailers>\r\n`.
struct Chunks<S> {
    inner: S,
    buffer: BytesMut,
    state: State,
    trailers: Trailers,
}

enum State {
    /// Before a chunk's size.
    Size,
    /// Within a chunk; so many bytes are left.
    Data(usize),
    /// Behind a chunk, before its line end.
    DataEnd,
    /// In the lines after the last chunk.
    Trailer,
    Done,
}

/// The longest line between chunks.
const MAX_LINE_BYTES: usize = 16 * 1024;

impl<S> Chunks<S> {
    fn new(inner: S, trailers: Trailers) -> Self {
        Self { inner, buffer: BytesMut::new(), state: State::Size, trailers }
    }

    /// The next bytes of data in the buffer, or `None` if more must come first.
    fn decode(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Data(left) => {
                    if self.buffer.is_empty() {
                        return Ok(None);
                    }
                    let data = self.buffer.split_to(left.min(self.buffer.len())).freeze();
                    let left = left - data.len();
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Some(data));
                }
                State::DataEnd => {
                    if self.buffer.len() < 2 {
                        return Ok(None);
                    }
                    if !self.buffer.starts_with(b"\r\n") {
                        return Err(std::io::Error::other("a chunk is longer than its size"));
                    }
                    self.buffer.advance(2);
                    self.state = State::Size;
                }
                State::Size => {
                    let Some(line) = self.line()? else { return Ok(None) };
                    let size = line.split(';').next().unwrap_or_default().trim();
                    let size = usize::from_str_radix(size, 16)
                        .map_err(|_| std::io::Error::other("a chunk has no size"))?;
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Trailer => {
                    let Some(line) = self.line()? else { return Ok(None) };
                    if line.is_empty() {
                        self.state = State::Done;
                    } else {
                        self.trailer(&line);
                    }
                }
            }
        }
    }

    fn line(&mut self) -> std::io::Result<Option<String>> {
        let Some(end) = self.buffer.windows(2).position(|w| w == b"\r\n") else {
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(std::io::Error::other("a line between chunks is too long"));
            }
            return Ok(None);
        };
        let line = self.buffer.split_to(end);
        self.buffer.advance(2);
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    fn trailer(&self, line: &str) {
        let Some((name, value)) = line.split_once(':') else { return };
        let name = HeaderName::from_bytes(name.trim().to_ascii_lowercase().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.trim())) {
            self.trailers.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
        }
    }
}

impl<S, E> Stream for Chunks<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = std::io::Result<Frame<Bytes>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.decode() {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(e) => return Poll::Ready(Some(Err(e))),
                Ok(None) => {}
            }
            match futures::ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(e)) => return Poll::Ready(Some(Err(std::io::Error::other(e)))),
                None => {
                    // some clients leave out the last line end
                    let whole = matches!(self.state, State::Done | State::Trailer);
                    let end = std::io::ErrorKind::UnexpectedEof;
                    return Poll::Ready((!whole).then(|| Err(end.into())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    async fn decode(text: &[u8], piece: usize) -> (std::io::Result<Vec<u8>>, HeaderMap) {
        let pieces: Vec<_> =
            text.chunks(piece).map(|c| std::io::Result::Ok(Bytes::copy_from_slice(c))).collect();
        let trailers = Trailers::default();
        let mut chunks = Chunks::new(stream::iter(pieces), trailers.clone());
        let mut data = vec![];
        while let Some(frame) = chunks.next().await {
            match frame {
                Ok(frame) => data.extend_from_slice(&frame.into_data().expect("data")),
                Err(e) => return (Err(e), HeaderMap::new()),
            }
        }
        (Ok(data), trailers.take())
    }

    #[tokio::test]
    async fn chunks_and_trailers_are_decoded_however_they_are_cut() {
        let text =
            b"5;chunk-signature=x\r\nhello\r\n3\r\n, w\r\n0\r\nx-amz-checksum-crc32:abc=\r\n\r\n";
        for piece in 1..text.len() {
            let (data, trailers) = decode(text, piece).await;
            assert_eq!(data.expect("decoded"), b"hello, w");
            assert_eq!(trailers["x-amz-checksum-crc32"], "abc=");
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_early_or_lies_about_sizes_is_an_error() {
        for text in ["5\r\nhel", "5\r\nhello\r\n", "2\r\nhello\r\n0\r\n\r\n", "zz\r\n"] {
            assert!(decode(text.as_bytes(), 3).await.0.is_err(), "{text}");
        }
    }

    #[test]
    fn a_presigned_url_expires() {
        let query = "X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-Signature=x";
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        assert!(!is_expired(query, at("2026-01-02T03:05:00Z")));
        assert!(is_expired(query, at("2026-01-02T03:05:06Z")));
    }
}
