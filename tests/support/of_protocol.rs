//! What the tests of the protocol share with those across crates.

pub(crate) mod crash;
pub(crate) mod dice;
pub(crate) mod world;
