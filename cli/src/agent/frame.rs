//! What goes through standard input and output: the length of a head (u32, big endian), the head (JSON), and
//! as many bytes as its `sizes` say.

use std::io;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A head names each call of a run, and no more.
const HEAD_BYTES_MAX: u32 = 256 << 20;

#[derive(Deserialize)]
struct Sizes {
    #[serde(default)]
    sizes: Vec<u64>,
}

/// A frame, as it comes or goes.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) head: Value,
    pub(super) body: Vec<Bytes>,
}

impl Frame {
    /// The next one; nothing, if there are no more.
    pub(super) async fn receive(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let length = match from.read_u32().await {
            Ok(length) if length <= HEAD_BYTES_MAX => length,
            Ok(_) => return Err(io::Error::other("what came is no frame")),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes).await?;
        let Sizes { sizes } = serde_json::from_slice(&bytes)?;
        let head = serde_json::from_slice(&bytes)?;
        let mut all = vec![];
        let total = sizes.iter().sum();
        let read = (&mut *from).take(total).read_to_end(&mut all).await?;
        if (read as u64) < total {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = Bytes::from(all);
        let body = sizes.into_iter().map(|size| rest.split_to(size as usize)).collect();
        Ok(Some(Self { head, body }))
    }

    pub(super) async fn send(mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let sizes: Vec<usize> = self.body.iter().map(Bytes::len).collect();
        self.head["sizes"] = sizes.into();
        let head = serde_json::to_vec(&self.head)?;
        let length = u32::try_from(head.len()).map_err(io::Error::other)?;
        to.write_all(&length.to_be_bytes()).await?;
        to.write_all(&head).await?;
        for part in &self.body {
            to.write_all(part).await?;
        }
        to.flush().await
    }
}
