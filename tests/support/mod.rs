//! What the tests share.

pub(crate) mod compare;
pub(crate) mod crash;
pub(crate) mod dice;
pub(crate) mod emulator;
pub(crate) mod expected_answer;
pub(crate) mod functions;
pub(crate) mod http;
pub(crate) mod rule;
pub(crate) mod store_bucket;
pub(crate) mod tables;
pub(crate) mod world;
