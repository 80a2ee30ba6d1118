//! Tables of text: CSV and newline-delimited JSON, read so that each value is whole or an error.
//!
//! The readers under DataFusion's cut what does not fit a column: the fraction of a number for
//! whole ones, the digits of a time beyond a column's unit, the time of day beside a date. Here
//! texts become values by our own rules: a value fits its column, or it is named. Columns are
//! matched by the names in the first line of each file.

mod convert;
mod csv;
mod evidence;
mod header;
mod json;
mod number;
mod records;
mod sample;
mod shape;
mod source;
mod time;

use datafusion::arrow::array::RecordBatch;

pub(crate) use convert::Misfit;
pub(crate) use csv::{CsvDecoder, Fields};
pub(crate) use evidence::widened;
pub(crate) use header::{HEADER_BYTES_MAX, Header, places};
pub(crate) use json::JsonDecoder;
pub(crate) use sample::infer;
pub(crate) use source::{TextSource, Unreadable};

/// Why lines of a file do not become rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A value does not fit its column.
    Misfit(Misfit),
    /// A line is not what it should be.
    Line(String),
    /// The file is not.
    File(String),
}

impl From<Misfit> for Problem {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::Line(text)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Misfit(misfit) => misfit.fmt(f),
            Self::Line(text) | Self::File(text) => f.write_str(text),
        }
    }
}

/// Makes batches of the bytes of a file.
pub(crate) trait Decoder: Send {
    /// Takes of the bytes until a batch is full, and says how many it took. No bytes are the end
    /// of the file.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Problem>;

    /// Whether it takes no more before it is flushed.
    fn is_full(&self) -> bool;

    /// The rows so far; none if there are none.
    fn flush(&mut self) -> Result<Option<RecordBatch>, Problem>;
}
