//! Tests across crates: the protocol on in-memory seams, the engine against single-process
//! DataFusion, and the whole chain with real processes.

mod chaos;
mod constructs;
mod contract;
mod differential;
mod end_to_end;
mod engine;
mod host;
mod inputs;
mod liveness;
mod load;
mod pipelines;
mod poison;
mod protocol;
mod quarantine;
mod records;
mod retry;
mod roles;
mod simulation;
mod storm;
mod suites;
mod support;
mod text;
mod tpch;
mod writes;
