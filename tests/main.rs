//! Tests across crates: the engine against single-process DataFusion, and the whole chain with real
//! processes. Those of the protocol alone are in `protocol`, a target that needs no engine.

mod answers;
mod calls;
mod chaos;
mod command_line;
mod constructs;
mod contract;
mod differential;
mod documents;
mod emulator_lifecycle;
mod end_to_end;
mod engine;
mod engine_faults;
mod faces;
mod files;
mod functions;
mod http_api;
mod iam_policies;
mod inputs;
mod liveness;
mod load;
mod malformed_input;
mod object_tags;
mod pipelines;
mod quarantine;
mod random_faults;
mod retry;
mod suites;
mod support;
mod text;
mod tpch;
mod writes;
