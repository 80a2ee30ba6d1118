//! What the tests share.

pub(crate) mod compare;
pub(crate) mod crash;
pub(crate) mod dice;
pub(crate) mod emulator;
pub(crate) mod rule;
pub(crate) mod store_bucket;
pub(crate) mod tables;
pub(crate) mod toy_engine;
pub(crate) mod trial;
pub(crate) mod world;
