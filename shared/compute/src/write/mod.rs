//! Statements that write into tables: `COPY`, `INSERT`, `CREATE TABLE AS`, and the option `into`.
//!
//! A statement that writes is a query and a request ([`WriteRequest`]). The planner looks at the
//! table and pins what the request comes to ([`Target`]): format, columns, partition folders, and
//! the files that are replaced. The query is projected onto the table's columns ([`align`]), its
//! last stage writes files ([`TableWriter`]), and the protocol publishes them after the outcome.

mod align;
mod csv;
mod encoder;
mod folders;
mod json;
mod parquet_file;
mod portable;
mod preview;
mod request;
mod table_writer;
mod target;

pub(crate) use align::align;
pub(crate) use portable::check_columns;
pub(crate) use preview::Previewer;
pub(crate) use request::{WriteRequest, split};
pub(crate) use table_writer::TableWriter;
pub(crate) use target::{Target, pin, pin_parquet};
