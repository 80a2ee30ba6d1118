//! DataFusion sessions, set up so that one partition never waits for another.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use datafusion::execution::TaskContext;
use datafusion::execution::cache::cache_manager::{CacheManagerConfig, FileMetadataCache};
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionConfig;

use crate::error::Failure;
use crate::functions::Callables;
use crate::meter::Meter;
use crate::pool::MeteredPool;
use crate::resources::Resources;
use crate::{corrections, functions, volatile};

/// Fragments are executed only by the version that encoded them.
pub const ENGINE_VERSION: &str =
    concat!("tidemill ", env!("CARGO_PKG_VERSION"), ", datafusion 55.2");

/// Bytes of a pool that has room for large batches.
const LARGE_POOL_BYTES: usize = 1 << 30;

/// The sorts of a task keep this part of the pool for merging. While sorted batches are merged, their keys
/// are there a second time, encoded. A sort reserves as much for them as the rows have; the keys of short
/// rows have more, and with this up to a quarter more.
const MERGE_POOL_DIVISOR: usize = 8;

/// The same where that did not suffice: the keys may have twice the bytes of the rows.
const LARGE_MERGE_POOL_DIVISOR: usize = 3;

/// Bytes of Parquet footers that a warm process keeps.
const FOOTER_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The footers of files by their key and version.
static FOOTERS: LazyLock<Arc<FileMetadataCache>> =
    LazyLock::new(|| Arc::new(DefaultCache::new(FOOTER_CACHE_BYTES).with_name("footers")));

/// A runtime whose sorts, aggregates and joins share `memory` bytes and then spill.
pub(crate) fn runtime(memory: usize, meter: &Arc<Meter>) -> Result<Arc<RuntimeEnv>, Failure> {
    let pool = Arc::new(MeteredPool::new(memory, meter.clone()));
    let caches = CacheManagerConfig::default()
        .with_file_metadata_cache(Some(FOOTERS.clone()))
        .with_metadata_cache_limit(FOOTER_CACHE_BYTES)
        .with_list_files_cache_limit(0)
        .with_file_statistics_cache_limit(0);
    Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).with_cache_manager(caches).build_arc()?)
}

/// Rows of a batch. Aggregates and joins over many groups are faster with larger ones (TPC-H q18
/// takes a third of the time at scale factor 10), until they leave the processor's cache (at 32,768
/// q1 takes a sixth longer). Each operator holds a few, so small functions keep to DataFusion's default.
fn batch_rows(runtime: &RuntimeEnv, memory_mode: MemoryMode) -> usize {
    match runtime.memory_pool.memory_limit() {
        _ if memory_mode == MemoryMode::Tight => 1_024,
        MemoryLimit::Finite(bytes) if bytes < LARGE_POOL_BYTES => 8_192,
        _ => 16_384,
    }
}

/// How careful a task is of its memory: how large its batches are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum MemoryMode {
    #[default]
    Normal,
    /// An operator has barely any room in the pool: batches are small.
    Tight,
}

/// Where the partitions of a plan run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// All in one process.
    SingleTask,
    /// In tasks that know nothing of each other.
    Distributed,
}

/// A session whose `now()` is fixed. `partitions` is what its plans aim for.
pub(crate) fn session(
    runtime: Arc<RuntimeEnv>,
    placement: Placement,
    memory_mode: MemoryMode,
    partitions: usize,
    now: DateTime<Utc>,
) -> SessionState {
    let builder = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config(&runtime, placement, memory_mode, partitions))
        .with_runtime_env(runtime);
    let mut state = corrections::add_rules(builder).build();
    state.execution_props_mut().query_execution_start_time = Some(now);
    state
}

/// The functions that fragments may name.
static FUNCTIONS: LazyLock<SessionState> =
    LazyLock::new(|| SessionStateBuilder::new().with_default_features().build());

/// What a fragment runs in: a session without what only planning needs.
pub(crate) fn fragment_context(
    runtime: Arc<RuntimeEnv>,
    memory_mode: MemoryMode,
    partitions: usize,
    seed: u64,
) -> Result<TaskContext, Failure> {
    let config = config(&runtime, Placement::Distributed, memory_mode, partitions);
    let mut context = TaskContext::new(
        None,
        String::new(),
        config,
        FUNCTIONS.scalar_functions().clone(),
        FUNCTIONS.higher_order_functions().clone(),
        FUNCTIONS.aggregate_functions().clone(),
        FUNCTIONS.window_functions().clone(),
        runtime,
    );
    // functions of Python are not among the expressions of fragments
    register_functions(&mut context, seed, &Callables::default())?;
    Ok(context)
}

/// Puts our own functions in the place of DataFusion's, and those of a statement beside them; `seed` is that of
/// `random()` and `uuid()`.
pub(crate) fn register_functions(
    registry: &mut impl FunctionRegistry,
    seed: u64,
    functions: &Callables,
) -> Result<(), Failure> {
    functions::register(registry, functions)?;
    volatile::register(registry, seed)?;
    corrections::register(registry)?;
    Ok(())
}

fn config(
    runtime: &RuntimeEnv,
    placement: Placement,
    memory_mode: MemoryMode,
    partitions: usize,
) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows(runtime, memory_mode))
        .with_round_robin_repartition(placement == Placement::SingleTask)
        .with_repartition_file_scans(false) // our splits are final
        .with_collect_statistics(false);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    // a common part of two expressions may be NULL in the one plan and not in the other, and no harm is done
    options.execution.skip_physical_aggregate_schema_check = true;
    if placement == Placement::Distributed {
        // a task reads the splits of its own partitions and no others
        options.execution.enable_file_stream_work_stealing = false;
        // a dynamic filter waits for all partitions of its join, and a task runs only some
        options.optimizer.enable_dynamic_filter_pushdown = false;
        options.optimizer.enable_topk_dynamic_filter_pushdown = false;
        options.optimizer.enable_join_dynamic_filter_pushdown = false;
        options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    }
    config
}

/// Lets the sorts of a plan keep enough of the pool for merging what they sorted.
pub(crate) fn with_room_to_merge(
    config: SessionConfig,
    resources: &Resources,
    plan: &Arc<dyn ExecutionPlan>,
    spills: bool,
) -> SessionConfig {
    let share = if spills { LARGE_MERGE_POOL_DIVISOR } else { MERGE_POOL_DIVISOR };
    let sorts = sorts(plan, resources.cores).max(1);
    config.with_sort_spill_reservation_bytes(resources.memory / share / sorts)
}

/// How many sorts of a plan may spill at once, where `parallel` partitions run at once.
fn sorts(plan: &Arc<dyn ExecutionPlan>, parallel: usize) -> usize {
    let own = match plan.downcast_ref::<SortExec>() {
        Some(sort) if sort.fetch().is_none() => {
            plan.output_partitioning().partition_count().min(parallel)
        }
        _ => 0,
    };
    own + plan.children().into_iter().map(|child| sorts(child, parallel)).sum::<usize>()
}
