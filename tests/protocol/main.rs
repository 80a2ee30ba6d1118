//! Tests of the protocol on storage, queues and time in memory. They need no engine, so that
//! `cargo test --release -p tidemill-protocol` builds them in a minute or two.

mod contract;
mod counting_bucket;
mod dst;
mod records;
mod steps;
#[path = "../support/of_protocol.rs"]
mod support;
mod toy_engine;
