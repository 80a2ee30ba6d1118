use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

const CHUNK_BYTES: usize = 256 * 1024;

/// A range of a file as a request body that can be sent again from its start.
pub(crate) fn of_range(file: File, range: Range<u64>) -> SdkBody {
    let file = Arc::new(file);
    SdkBody::retryable(move || {
        let Range { start: at, end } = range;
        SdkBody::from_body_1_x(FileBody { file: file.clone(), at, end })
    })
}

struct FileBody {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        if left == 0 {
            return Poll::Ready(None);
        }
        let mut chunk = vec![0; left.min(CHUNK_BYTES)];
        match self.file.read_exact_at(&mut chunk, self.at) {
            Ok(()) => {
                self.at += chunk.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
            }
            Err(e) => Poll::Ready(Some(Err(e))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.at)
    }
}
