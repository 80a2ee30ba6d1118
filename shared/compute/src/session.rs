//! DataFusion sessions, set up so that one partition never waits for another.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::error::Failure;

/// Fragments are executed only by the version that encoded them.
pub const ENGINE_VERSION: &str =
    concat!("tidemill ", env!("CARGO_PKG_VERSION"), ", datafusion 55.2");

/// A runtime whose sorts, aggregates and joins share `memory` bytes and then spill.
pub(crate) fn runtime(memory: usize) -> Result<Arc<RuntimeEnv>, Failure> {
    let pool = Arc::new(FairSpillPool::new(memory));
    // no caches: they know a file by its time and size, and we pin ETags
    Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).with_metadata_cache_limit(0).build_arc()?)
}

/// A session whose `now()` is fixed. `partitions` is what its plans aim for.
pub(crate) fn session(
    runtime: Arc<RuntimeEnv>,
    partitions: usize,
    now: DateTime<Utc>,
) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_round_robin_repartition(false)
        .with_repartition_file_scans(false) // our splits are final
        .with_collect_statistics(false);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    // a task reads the splits of its own partitions and no others
    options.execution.enable_file_stream_work_stealing = false;
    // a dynamic filter waits for all partitions of its join, and a task runs only some
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    let mut state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .build();
    state.execution_props_mut().query_execution_start_time = Some(now);
    state
}
