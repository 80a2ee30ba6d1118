//! The execution of one task.

mod diagnose;
mod exchange_write;
mod execute;

pub(crate) use execute::execute;
