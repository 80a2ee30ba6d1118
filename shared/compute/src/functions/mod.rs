//! Functions of Python that a statement calls.
//!
//! 1. [`find`]: names that are no function of the engine's are those of the job, or of files `functions/<name>.py`;
//! 2. [`declared`]: the engine's planner knows them by their types, and cannot call them;
//! 3. [`lift`]: before the optimizer calls become columns of a node of their own ([`node`]). So none is evaluated
//!    twice or in the planner, and each is made for the rows that its place asks for;
//! 4. [`exec`]: the node passes batches of arguments to the
//!    [`FunctionCaller`](tidemill_protocol::function::FunctionCaller) of its worker.

mod aggregates;
mod caller;
mod check;
mod declared;
mod exec;
mod find;
mod lift;
mod node;
mod operands;
mod slow;
mod sort_below;
mod unread;

pub(crate) use caller::{CallFailed, Callers};
pub(crate) use declared::{Callable, Callables, register};
pub(crate) use exec::{Call, CallExec};
pub(crate) use find::{Known, find};
pub(crate) use lift::{LiftCalls, LiftCallsOfSubqueries};
pub(crate) use node::{CallNode, Planner, calls_functions};
pub(crate) use operands::name_operands;
pub(crate) use slow::{SlowCalls, SpreadExec, any_slow, seconds_of_row, tasks as tasks_of_calls};
pub(crate) use sort_below::SortBelowCalls;
pub(crate) use unread::DropUnread;
