//! Files of tables are written by the interpreter's pyarrow: `tidemill_values.py` has the other side.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use tempfile::{NamedTempFile, TempPath};
use tidemill_protocol::EngineError;
use tidemill_protocol::bucket::Body;
use tidemill_protocol::calls::RowsFile;

use crate::child::Call;
use crate::objects::unwritable;

/// What the runner takes for the name of a function.
const FUNCTION_NAME: &str = "tidemill:file";

/// The call that makes a file of streams of Arrow.
pub(crate) fn call(ready: &Call, columns: Option<&str>, tables: &[Bytes]) -> Call {
    let columns = Bytes::copy_from_slice(columns.unwrap_or_default().as_bytes());
    let parts = || std::iter::once(&columns).chain(tables);
    let mut arguments = BytesMut::with_capacity(parts().map(|part| 8 + part.len()).sum());
    for part in parts() {
        arguments.put_u64(part.len() as u64);
        arguments.put_slice(part);
    }
    let (function_name, arguments) = (FUNCTION_NAME.to_owned(), arguments.freeze());
    Call { function_name, function: Bytes::new(), initializer: None, arguments, ..ready.clone() }
}

/// What it answers; the file lies in a folder until it is written.
pub(crate) async fn read(mut packed: Bytes, folder: &Path) -> Result<RowsFile, EngineError> {
    let mut next = || {
        let (length, rest) = packed.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        if rest.len() < length {
            return None;
        }
        let part = packed.slice(8..8 + length);
        packed = packed.slice(8 + length..);
        Some(part)
    };
    let text = |part: Bytes| String::from_utf8(part.to_vec()).ok();
    let mut parts = || {
        let columns = text(next()?)?;
        let rows = text(next()?)?.parse().ok()?;
        Some((columns, rows, next()?))
    };
    let (columns, rows, file) = parts().ok_or_else(|| {
        let what = "the interpreter has answered with something that is no file".to_owned();
        EngineError::Transient { source: what.clone().into(), what }
    })?;
    let bytes = file.len() as u64;
    let body = Body::Path(spooled(&file, folder).await.map_err(|e| unwritable(folder, e))?);
    Ok(RowsFile { columns, rows, body, bytes })
}

/// A task may have more files than there is memory for.
async fn spooled(bytes: &[u8], folder: &Path) -> std::io::Result<TempPath> {
    let path = NamedTempFile::new_in(folder)?.into_temp_path();
    tokio::fs::write(&path, bytes).await?;
    Ok(path)
}
