//! How many rows a fragment leaves, at least and at most.

use datafusion::common::JoinType;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::unnest::UnnestExec;
use tidemill_protocol::cost::Bounds;

use super::exchange_bytes::{TEXT_BYTES, width};
use super::{PlanRef, Rows, file_columns, file_scan, partitions};
use crate::stage::{ExchangeReadExec, row_inputs};
use crate::table::{Table, TableFile};

/// Values of text files become at most so many times as many bytes, and compressed ones so many more.
const MEMORY_BYTES_PER_TEXT_BYTE: f64 = 4.0;
const GZIP_RATIO_MAX: f64 = 10.0;

/// A value that is a list has so many at most: an assumption.
const LIST_VALUES_MAX: f64 = 10.0;

/// Rows of a plan's output, given those of the stages that it reads: of its scans, bounded by each operator
/// above them, and by a limit in each partition.
pub(super) fn row_count(plan: &PlanRef, tables: &[Table], made: &[Rows]) -> Rows {
    if let Some(read) = plan.downcast_ref::<ExchangeReadExec>() {
        return made.get(usize::from(read.stage().0)).copied().unwrap_or_default();
    }
    let rows = match file_scan(plan, tables) {
        Some((config, table)) => scanned_rows(plan, config, table),
        None => {
            let inputs: Vec<_> =
                row_inputs(plan).into_iter().map(|c| row_count(c, tables, made)).collect();
            match inputs[..] {
                [] => leaf_rows(plan),
                [input] => rows_of_one(plan, input),
                [left, right] => joined_rows(plan, left, right),
                _ => inputs.into_iter().sum(),
            }
        }
    };
    match plan.fetch() {
        None => rows,
        Some(fetch) => {
            let most = fetch as f64 * partitions(plan);
            rows.map(|n| n.min(most))
        }
    }
}

/// The footers of Parquet files count their rows; of text their bytes bound those of the values.
fn scanned_rows(plan: &PlanRef, config: &FileScanConfig, table: &Table) -> Rows {
    if let Some(known) = &table.statistics
        && let Some(rows) = known.statistics.num_rows.get_value()
    {
        return Bounds::exactly(*rows as f64);
    }
    let all = table.file_schema().fields().len().max(1) as f64;
    let read = file_columns(config).map_or(all, |c| c.len() as f64);
    let size = |file: &TableFile| file.size as f64 * if file.gzip { GZIP_RATIO_MAX } else { 1.0 };
    let bytes: f64 = table.files.iter().map(size).sum();
    let bytes = MEMORY_BYTES_PER_TEXT_BYTE * bytes * (read / all).clamp(0.1, 1.0);
    Bounds { low: 0.0, high: bytes / width(&plan.schema(), TEXT_BYTES) }
}

fn leaf_rows(plan: &PlanRef) -> Rows {
    if plan.is::<EmptyExec>() {
        return Bounds::default();
    }
    if plan.is::<PlaceholderRowExec>() {
        return Bounds::exactly(1.0);
    }
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::default()).ok();
    let rows = known.and_then(|s| s.num_rows.get_value().copied());
    rows.map_or(Bounds { low: 0.0, high: 1000.0 }, |n| Bounds::exactly(n as f64))
}

fn rows_of_one(plan: &PlanRef, input: Rows) -> Rows {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let groups = aggregate.group_expr();
        if groups.expr().is_empty() {
            return Bounds::exactly(partitions(plan));
        }
        let sets = groups.groups().len().max(1) as f64;
        return Bounds { low: input.low.min(1.0), high: input.high * sets };
    }
    if plan.is::<FilterExec>() {
        return Bounds { low: 0.0, ..input };
    }
    if plan.is::<UnnestExec>() {
        return Bounds { low: 0.0, high: input.high * LIST_VALUES_MAX };
    }
    input
}

/// Joins by keys are taken to be along one: a row has partners on one of the sides only.
fn joined_rows(plan: &PlanRef, left: Rows, right: Rows) -> Rows {
    let larger = left.high.max(right.high);
    let pairs = left.high * right.high;
    let (join_type, most) = if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        (join.join_type, larger)
    } else if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
        (join.join_type(), larger)
    } else if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        (*join.join_type(), pairs)
    } else if plan.is::<CrossJoinExec>() {
        return Bounds { low: left.low * right.low, high: pairs };
    } else {
        return left + right;
    };
    match join_type {
        JoinType::Inner => Bounds { low: 0.0, high: most },
        JoinType::Left => Bounds { low: left.low, high: most.max(left.high) },
        JoinType::Right => Bounds { low: right.low, high: most.max(right.high) },
        JoinType::Full => {
            Bounds { low: left.low.max(right.low), high: most.max(left.high + right.high) }
        }
        JoinType::LeftSemi | JoinType::LeftAnti => Bounds { low: 0.0, ..left },
        JoinType::RightSemi | JoinType::RightAnti => Bounds { low: 0.0, ..right },
        JoinType::LeftMark => left,
        JoinType::RightMark => right,
    }
}
