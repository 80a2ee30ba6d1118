//! The execution of one task.

mod diagnose;
mod exchange_write;
mod execute;
mod part_write;

pub(crate) use execute::execute;
