//! What a plan is expected to read and write: what the estimate of its cost is made of.
//!
//! Bytes and requests of scans (`scan_bytes`) are known from footers and sizes. How many rows a fragment
//! leaves (`row_count`) is a range, and with it the bytes of its exchange ([`exchange_bytes`]).

mod exchange_bytes;
mod row_count;
mod scan_bytes;

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use tidemill_protocol::cost::Bounds;
use tidemill_protocol::record::StageIo;

use crate::error::Failure;
use crate::functions::{CallExec, Callables, seconds_of_row};
use crate::stage::StageDraft;
use crate::table::{Table, table_number, table_of_url};
use exchange_bytes::{exchange_bytes, is_bounded, text_bytes};
use row_count::row_count;
use scan_bytes::{add_files, add_scans};

type PlanRef = Arc<dyn ExecutionPlan>;

/// Rows of a plan's output, all partitions together.
type Rows = Bounds<f64>;

/// What the stages of a plan are expected to do, in their order.
pub(crate) fn of_stages(
    drafts: &[StageDraft],
    tables: &[Table],
    functions: &Callables,
) -> Vec<StageIo> {
    let mut made: Vec<Rows> = vec![];
    let text = text_bytes(tables);
    let stage_io = |draft: &StageDraft| {
        let mut io = StageIo::default();
        add_scans(&mut io, &draft.plan, tables, 1);
        let rows = row_count(&draft.plan, tables, &made);
        let calls = call_seconds(&draft.plan, tables, functions, &made);
        made.push(rows);
        let bounded = is_bounded(&draft.plan);
        let written_bytes = exchange_bytes(draft, rows, text);
        StageIo { written_bytes, bounded, call_millis: millis(calls), ..io }
    };
    drafts.iter().map(stage_io).collect()
}

/// Seconds of the calls of a plan that has not been cut.
pub(crate) fn call_seconds_of(
    plan: &PlanRef,
    tables: &[Table],
    functions: &Callables,
) -> Bounds<f64> {
    call_seconds(plan, tables, functions, &[])
}

/// Seconds that functions take that say what a row takes.
fn call_seconds(
    plan: &PlanRef,
    tables: &[Table],
    functions: &Callables,
    made: &[Rows],
) -> Bounds<f64> {
    let own = match plan.downcast_ref::<CallExec>() {
        Some(node) => {
            let seconds = seconds_of_row(node, functions);
            let input = plan.children().into_iter().map(|c| row_count(c, tables, made));
            input.sum::<Rows>().map(|rows| rows * seconds)
        }
        None => Bounds::default(),
    };
    let below = plan.children().into_iter().map(|c| call_seconds(c, tables, functions, made));
    own + below.sum::<Bounds<f64>>()
}

/// As records have them.
pub(crate) fn millis(seconds: Bounds<f64>) -> Bounds<u64> {
    seconds.map(|s| (s * 1000.0).ceil()).whole()
}

/// What a plan that is one task is expected to do; its scans may be spared what a join finds out.
pub(crate) fn of_one_task(plan: &LogicalPlan, tables: &[Table]) -> Result<StageIo, Failure> {
    let mut io = StageIo { prunes: true, ..StageIo::default() };
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(number) = table_number(provider.as_ref())
        {
            let table = &tables[number];
            let files = table.files.iter().map(|f| (f.size, None));
            add_files(&mut io, table, scan.projection.as_deref(), files, 1);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(io)
}

fn partitions(plan: &PlanRef) -> f64 {
    plan.output_partitioning().partition_count() as f64
}

/// The scan of files that a plan is, and its table.
fn file_scan<'a>(
    plan: &'a PlanRef,
    tables: &'a [Table],
) -> Option<(&'a FileScanConfig, &'a Table)> {
    let source = plan.downcast_ref::<DataSourceExec>()?.data_source();
    let config = source.downcast_ref::<FileScanConfig>()?;
    Some((config, tables.get(table_of_url(&config.object_store_url)?)?))
}

/// The columns of the files that a scan reads; those in the keys come after them.
fn file_columns(config: &FileScanConfig) -> Option<Vec<usize>> {
    let all = config.file_schema().fields().len();
    let read = config.file_source().projection()?.column_indices();
    Some(read.into_iter().filter(|column| *column < all).collect())
}
