//! CPython, supervised: a process that runs one call after another and is ended when a call takes too long,
//! takes too much memory, or is no longer wanted.
//!
//! A [`Child`] gets bytes and gives bytes: it has no credentials, and knows nothing of buckets and queues.
//! Whatever it does, a call ends: with an [`Answer`], or because the child [`Died`].

mod answer;
mod child;
mod frame;
mod interpreter;
mod memory;
mod output;

pub use answer::{Answer, Died, Outcome, Raised, Reason};
pub use child::{Call, Child, Limits};
pub use interpreter::{Interpreter, StartError};
pub use output::Captured;
