//! What a plan is expected to read and write: what its estimate is made of.

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::JoinType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use tidemill_protocol::cost::Bounds;
use tidemill_protocol::job::Format;
use tidemill_protocol::record::{Expected, Output};

use crate::error::Failure;
use crate::stage::{ExchangeReadExec, StageDraft, collects_left, row_inputs};
use crate::store::SMALL_FILE_BYTES_MAX;
use crate::table::{PARQUET_FOOTER_BYTES, Table, TableFile, table_number, table_of_url};

type PlanRef = std::sync::Arc<dyn ExecutionPlan>;

/// Rows of a plan's output, all partitions together.
type Rows = Bounds<f64>;

/// Ranges of an object that are no further apart are fetched together (object_store).
const COALESCED_GAP_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of a text and of a nested value, where no more is known of the texts in the tables.
const TEXT_BYTES: f64 = 24.0;
const NESTED_BYTES: f64 = 64.0;

/// Values of text files become at most so many times as many bytes, and compressed ones so many more.
const MEMORY_BYTES_PER_TEXT_BYTE: f64 = 4.0;
const GZIP_RATIO_MAX: f64 = 10.0;

/// What LZ4 leaves of a batch at best.
const LZ4_SHARE_MIN: f64 = 0.1;

/// Bytes of a slot beside its rows: a schema, the headers of messages.
const SLOT_OVERHEAD_BYTES: f64 = 1024.0;

/// A value that is a list has so many at most: an assumption.
const LIST_VALUES_MAX: f64 = 10.0;

/// What the stages of a plan are expected to do, in their order.
pub(crate) fn of_stages(drafts: &[StageDraft], tables: &[Table]) -> Vec<Expected> {
    let mut made: Vec<Rows> = vec![];
    let text = tables.iter().filter_map(text_bytes).fold(TEXT_BYTES, f64::max);
    let expected = |draft: &StageDraft| {
        let mut expected = Expected::default();
        visit(&mut expected, &draft.plan, tables, 1);
        let rows = rows(&draft.plan, tables, &made);
        made.push(rows);
        let bounded = is_bounded(&draft.plan);
        Expected { written_bytes: written(draft, rows, text), bounded, ..expected }
    };
    drafts.iter().map(expected).collect()
}

/// What a plan that is one task is expected to do; its scans may be spared what a join finds out.
pub(crate) fn of_one_task(plan: &LogicalPlan, tables: &[Table]) -> Result<Expected, Failure> {
    let mut expected = Expected { prunes: true, ..Expected::default() };
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(number) = table_number(provider.as_ref())
        {
            let table = &tables[number];
            let files = table.files.iter().map(|f| (f.size, None));
            add(&mut expected, table, scan.projection.as_deref(), files, 1);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(expected)
}

/// Bytes of a stage's exchange.
fn written(draft: &StageDraft, rows: Rows, text: f64) -> Bounds<u64> {
    let Output::Exchange { slots } = draft.output else { return Bounds::default() };
    let (least, most) = (width(&draft.plan.schema(), 0.0), width(&draft.plan.schema(), text));
    let all_slots = f64::from(slots) * partitions(&draft.plan);
    let high = rows.high * most + all_slots.min(rows.high) * SLOT_OVERHEAD_BYTES;
    let bytes = Bounds { low: rows.low * least * LZ4_SHARE_MIN, high };
    bytes.map(|bytes| bytes as u64)
}

/// Whether a partition has so many rows at most, whatever its inputs have.
fn is_bounded(plan: &PlanRef) -> bool {
    let is_total = |a: &AggregateExec| a.group_expr().expr().is_empty();
    let keeps_rows = plan.is::<ProjectionExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<ScalarSubqueryExec>();
    plan.fetch().is_some()
        || plan.downcast_ref::<AggregateExec>().is_some_and(is_total)
        || keeps_rows && row_inputs(plan).into_iter().all(is_bounded)
}

fn partitions(plan: &PlanRef) -> f64 {
    plan.output_partitioning().partition_count() as f64
}

/// Bytes of a text in the column of a table that has the longest, on average, if its files tell.
fn text_bytes(table: &Table) -> Option<f64> {
    let known = &table.statistics.as_ref()?.statistics;
    let rows = *known.num_rows.get_value()? as f64;
    let schema = table.file_schema();
    let columns = schema.fields().iter().zip(&known.column_statistics);
    let texts = columns.filter(|(field, _)| field.data_type().primitive_width().is_none());
    let bytes = texts.filter_map(|(_, column)| column.byte_size.get_value().copied()).max()?;
    Some(bytes as f64 / rows.max(1.0) + std::mem::size_of::<u128>() as f64)
}

/// Bytes of a row in memory, where a text has so many.
fn width(schema: &Schema, text: f64) -> f64 {
    fn of(data_type: &DataType, text: f64) -> f64 {
        match data_type {
            DataType::Null => 0.0,
            DataType::Boolean => 0.125,
            DataType::Dictionary(key, _) => of(key, text),
            DataType::Struct(fields) => fields.iter().map(|f| of(f.data_type(), text)).sum(),
            other => match other.primitive_width() {
                Some(bytes) => bytes as f64,
                None if other.is_nested() => NESTED_BYTES.max(text),
                None => text,
            },
        }
    }
    schema.fields().iter().map(|f| of(f.data_type(), text)).sum::<f64>().max(1.0)
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

/// Adds what the scans below a plan take, each `times` times.
fn visit(expected: &mut Expected, plan: &PlanRef, tables: &[Table], times: u64) {
    if let Some((config, table)) = file_scan(plan, tables) {
        let columns = file_columns(config);
        let is_parquet = table.format == Format::Parquet;
        expected.prunes |= is_parquet && config.file_source().filter().is_some();
        for group in &config.file_groups {
            let piece = |file: &PartitionedFile| {
                let range = file.range.as_ref().map(|r| (r.start as u64, r.end as u64));
                (file.object_meta.size, range)
            };
            add(expected, table, columns.as_deref(), group.iter().map(piece), times);
        }
    }
    // a join whose one side is empty reads nothing of the other
    expected.prunes |= plan.is::<HashJoinExec>();
    // every task executes the side of a join that it collects
    let repeated = times * partitions(plan) as u64;
    for (n, child) in plan.children().into_iter().enumerate() {
        let is_collected = n == 0 && collects_left(plan);
        visit(expected, child, tables, if is_collected { repeated } else { times });
    }
}

/// Adds pieces of files: the size of each file, and the range that is read of it.
fn add(
    expected: &mut Expected,
    table: &Table,
    columns: Option<&[usize]>,
    pieces: impl Iterator<Item = (u64, Option<(u64, u64)>)>,
    times: u64,
) {
    let (mut bytes, mut requests, mut footers, mut footer_bytes, mut large) = (0, 0, 0, 0, 0);
    for (size, range) in pieces {
        let (from, to) = range.unwrap_or((0, size));
        match table.format {
            Format::Parquet if size > SMALL_FILE_BYTES_MAX => {
                footers += 1;
                footer_bytes += size.min(PARQUET_FOOTER_BYTES as u64);
                large += to - from;
            }
            Format::Parquet => {
                requests += 1;
                bytes += size;
            }
            // whoever reads a part looks for the lines that it starts and ends with
            Format::Csv | Format::Json => {
                requests += 1 + u64::from(from > 0) + u64::from(to < size);
                bytes += to - from;
            }
        }
    }
    if large > 0 {
        let share = large as f64 / table.bytes().max(1) as f64;
        let part = |all: u64| (all as f64 * share).ceil() as u64;
        let (of_groups, requests_of_groups) = row_groups(table, columns);
        bytes += part(of_groups);
        requests += part(requests_of_groups);
    }
    expected.table_bytes += (bytes + footer_bytes) * times;
    expected.table_requests += (requests + footers) * times;
    expected.footer_bytes += footer_bytes * times;
    expected.footer_requests += footers * times;
}

/// Bytes and GET requests for all row groups of a table: columns that are close to each other come
/// together, with what lies between them.
fn row_groups(table: &Table, columns: Option<&[usize]>) -> (u64, u64) {
    let Some(known) = &table.statistics else { return (table.bytes(), table.files.len() as u64) };
    let of = |sizes: &[u64], column: usize| sizes.get(column).copied().unwrap_or(0);
    let mut columns = match columns {
        Some(columns) => columns.to_vec(),
        None => (0..known.stored.len()).collect(),
    };
    columns.sort_unstable();
    let (mut bytes, mut runs) = (0, 0);
    let mut before = None;
    for column in columns {
        let gap = before.map_or(0..0, |before: usize| before + 1..column);
        let between = |sizes: &[u64]| gap.clone().map(|c| of(sizes, c)).sum::<u64>();
        // row groups are of different sizes: in some they may come together, and in others not
        if before.is_some()
            && between(&known.stored) / known.groups.max(1) <= COALESCED_GAP_BYTES_MAX
        {
            bytes += between(&known.stored);
        }
        if before.is_none() || between(&known.largest) > COALESCED_GAP_BYTES_MAX {
            runs += 1;
        }
        bytes += of(&known.stored, column);
        before = Some(column);
    }
    (bytes, known.groups * runs)
}

fn rows(plan: &PlanRef, tables: &[Table], made: &[Rows]) -> Rows {
    if let Some(read) = plan.downcast_ref::<ExchangeReadExec>() {
        return made.get(usize::from(read.stage().0)).copied().unwrap_or_default();
    }
    let rows = match file_scan(plan, tables) {
        Some((config, table)) => scanned_rows(plan, config, table),
        None => {
            let inputs: Vec<_> =
                row_inputs(plan).into_iter().map(|c| rows(c, tables, made)).collect();
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
