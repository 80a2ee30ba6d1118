//! The execution of one task.

mod diagnose;
mod exchange_write;
mod execute;
mod failed_cast;
mod loaded;
mod run;
mod wider;

pub(crate) use execute::execute;
pub(crate) use loaded::LoadedPlan;
