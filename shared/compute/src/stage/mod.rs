//! Stages: the parts of a physical plan between its exchanges.

mod cut;
mod exchange_read;
mod execute_once;
mod fragment;
mod make_spillable;

pub(crate) use cut::{StageDraft, collects_left, cut, splittable_input};
pub(crate) use exchange_read::{ExchangeReadExec, ExchangeSource};
pub(crate) use execute_once::execute_once;
pub(crate) use fragment::{Fragment, Part, decode, encode};
pub(crate) use make_spillable::make_spillable;
