//! Tests across crates: the protocol on in-memory seams, the engine against single-process
//! DataFusion, and the whole chain with real processes.

mod answers;
mod chaos;
mod command_line;
mod constructs;
mod contract;
mod differential;
mod end_to_end;
mod engine;
mod engine_faults;
mod files;
mod host;
mod inputs;
mod liveness;
mod load;
mod object_tags;
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
