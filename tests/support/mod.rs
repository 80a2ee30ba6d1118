//! What the tests share.

pub(crate) mod crash;
pub(crate) mod emulator;
pub(crate) mod store_bucket;
pub(crate) mod toy_engine;
pub(crate) mod world;
