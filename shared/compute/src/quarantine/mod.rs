//! Sets aside the lines of text files that cannot be read, so that the rest of a table can.
//!
//! The store of a table passes its files through here on their way to the reader. A line is bad if a
//! reader of *all* columns would refuse it, whatever the statement reads, so that every statement and
//! every attempt sees the same rows. What is set aside does not depend on where the bytes were cut
//! on their way.
//!
//! A quote that does not end within [`RECORD_BYTES_MAX`] bytes, or in the file, makes its own line bad and no
//! other.

mod cleaner;
mod open;
mod records;
mod rejects;
mod rules;

pub(crate) use open::{FilePart, open, start};
pub(crate) use rejects::Rejects;
pub(crate) use rules::{Rules, fields_of_first_line};

/// The most bytes of a record.
const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// So many bytes of a bad line are kept as text.
const LINE_TEXT_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of bad lines that a task sets aside: it holds them.
const REJECTED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A file is not what its table says.
#[derive(Debug, thiserror::Error)]
#[error(
    "more than {limit} MiB of {0} are bad lines: look at the columns that its table declares",
    limit = REJECTED_BYTES_MAX / 1024 / 1024
)]
pub(crate) struct TooManyBadLines(String);
