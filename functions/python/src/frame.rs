//! What goes through the socket; `tidemill_runner.py` has the other end.

use std::io;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill_protocol::calls::ValueFormat;
use tidemill_protocol::function::{FunctionKind, InputForm, OnNull};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A head has texts that the runner cuts, so a longer one is none.
const HEAD_BYTES_MAX: u32 = 4 * 1024 * 1024;

#[derive(Debug, Serialize)]
pub(crate) struct CallHead<'a> {
    pub(crate) call: u64,
    pub(crate) function: &'a str,
    /// Empty, if there is none.
    pub(crate) initializer: &'a str,
    /// The path of a file that the arguments name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<&'a Path>,
    /// How many calls of a coroutine function are made at once; nothing for one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at_once: Option<u32>,
    /// A call over a batch of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<&'a Batch>,
    /// Seconds of each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<f64>,
    pub(crate) sizes: Vec<usize>,
}

/// How a function is called over rows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Batch {
    pub(crate) name: String,
    pub(crate) kind: FunctionKind,
    pub(crate) input: Option<InputForm>,
    pub(crate) on_null: OnNull,
    pub(crate) volatile: bool,
    /// The function's bytes are the text of a module.
    pub(crate) source: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReadyHead {
    /// The version of Python, with its patch level.
    pub(crate) ready: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AnswerHead {
    pub(crate) call: u64,
    /// Which of the calls that are made together.
    #[serde(default)]
    pub(crate) item: usize,
    /// That it took, where others are made beside it.
    #[serde(default)]
    pub(crate) seconds: Option<f64>,
    /// Whether the child has the function now.
    pub(crate) loaded: bool,
    #[serde(flatten)]
    pub(crate) kind: AnswerKind,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum AnswerKind {
    Returned {
        #[serde(rename = "as")]
        format: ValueFormat,
    },
    Raised(RaisedHead),
    NotReady(RaisedHead),
    /// It took longer than it may, and was cancelled.
    Late,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RaisedHead {
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) message: String,
    pub(crate) traceback: String,
    #[serde(default)]
    pub(crate) unread: bool,
    #[serde(default)]
    pub(crate) missing: Option<String>,
    #[serde(default)]
    pub(crate) row: Option<String>,
    #[serde(default)]
    pub(crate) wrong: bool,
}

#[derive(Deserialize)]
struct Sizes {
    sizes: Vec<usize>,
}

/// Sends a head and what belongs to it.
pub(crate) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    head: &impl Serialize,
    body: &[&[u8]],
) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(&head).await?;
    for part in body {
        to.write_all(part).await?;
    }
    to.flush().await
}

/// Receives a head and what belongs to it.
pub(crate) async fn receive<H: for<'a> Deserialize<'a>>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<(H, Vec<Bytes>)> {
    let length = from.read_u32().await?;
    if length > HEAD_BYTES_MAX {
        return Err(io::Error::other("what came is no answer"));
    }
    let mut head = vec![0; length as usize];
    from.read_exact(&mut head).await?;
    let Sizes { sizes } = serde_json::from_slice(&head)?;
    let mut body = vec![];
    for size in sizes {
        // no more is allocated than has come
        let mut part = vec![];
        let read = (&mut *from).take(size as u64).read_to_end(&mut part).await?;
        if read < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        body.push(part.into());
    }
    Ok((serde_json::from_slice(&head)?, body))
}
