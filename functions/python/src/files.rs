//! Files of tables are written by the interpreter's pyarrow: `tidemill_values.py` has the other side.

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::EngineError;
use tidemill_protocol::calls::RowsFile;

use crate::child::Call;

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

/// What it answers.
pub(crate) fn read(mut packed: Bytes) -> Result<RowsFile, EngineError> {
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
    let mut file = || {
        let columns = text(next()?)?;
        let rows = text(next()?)?.parse().ok()?;
        Some(RowsFile { columns, rows, body: next()? })
    };
    file().ok_or_else(|| {
        let what = "the interpreter has answered with something that is no file".to_owned();
        EngineError::Transient { source: what.clone().into(), what }
    })
}
