//! How many tasks a job is worth.

use datafusion::common::config::OptimizerOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;

use tidemill_protocol::{Workers, cost};

use crate::error::Failure;
use crate::resources::Resources;
use crate::table::{Table, table_number};

/// A side of a join with so many rows is collected by DataFusion, or if it takes so many bytes.
const COLLECTED_ROWS_MAX: usize = 128 * 1024;
const COLLECTED_BYTES_MAX: usize = 1024 * 1024;

/// The largest scan of a task may have so many times the rows of a side that the task collects: it
/// reads them from an exchange and builds a table of them, where it would write and read its own.
const SCAN_ROWS_PER_COLLECTED: usize = 4;

/// Bytes of memory for a collected row.
const COLLECTED_ROW_BYTES: usize = 256;

/// How a plan is spread.
pub(crate) struct Spread {
    /// Of hash exchanges.
    pub(crate) partitions: usize,
    /// Of the scan of each table.
    pub(crate) scans: Vec<usize>,
    /// Rows of a side of a join that every task may collect.
    collected_rows: usize,
}

impl Spread {
    /// Over the cores of one task.
    pub(crate) fn within(cores: usize, tables: &[Table]) -> Self {
        let scans = vec![cores; tables.len()];
        Self { partitions: cores, scans, collected_rows: COLLECTED_ROWS_MAX }
    }

    /// Over so many partitions, whatever the job reads.
    pub(crate) fn over(partitions: u32, tables: &[Table], memory: usize) -> Self {
        let hashed = cost::asked_partitions(u64::from(partitions));
        let scans = vec![partitions as usize; tables.len()];
        Self::new(usize::try_from(hashed).unwrap_or(1), scans, tables, memory)
    }

    fn new(partitions: usize, scans: Vec<usize>, tables: &[Table], memory: usize) -> Self {
        let of_a_task =
            tables.iter().zip(&scans).map(|(table, tasks)| table.rows() / tasks.max(&1));
        let rows = of_a_task.max().unwrap_or(0) / SCAN_ROWS_PER_COLLECTED;
        let collected_rows = rows.min(memory / COLLECTED_ROW_BYTES).max(COLLECTED_ROWS_MAX);
        Self { partitions, scans, collected_rows }
    }

    /// Tells the optimizer.
    pub(crate) fn set(&self, options: &mut OptimizerOptions) {
        options.hash_join_single_partition_threshold_rows = self.collected_rows;
        options.hash_join_single_partition_threshold =
            self.collected_rows.saturating_mul(COLLECTED_BYTES_MAX / COLLECTED_ROWS_MAX);
    }

    /// By the bytes that the statement reads, as the estimate of a run says, and by the tasks that its calls of
    /// functions are worth; `None` if one task is enough.
    ///
    /// # Errors
    /// The plan cannot be walked.
    pub(crate) fn of(
        plan: &LogicalPlan,
        tables: &[Table],
        resources: &Resources,
        workers: &Workers,
        calls: usize,
    ) -> Result<Option<Self>, Failure> {
        let scans = scanned_bytes(plan, tables)?;
        let total: u64 = scans.iter().map(|s| s.total).sum();
        if total < resources.one_task_bytes && calls < 2 {
            return Ok(None);
        }
        let count = |n: u64| usize::try_from(n).unwrap_or(1);
        let scans: Vec<_> = scans.iter().map(|s| cost::splits(s.largest, workers)).collect();
        let most = scans.iter().copied().max().unwrap_or(1);
        let partitions = count(cost::partitions(total, most)).max(calls);
        let scans = scans.into_iter().map(count).collect();
        Ok(Some(Self::new(partitions, scans, tables, resources.memory)))
    }
}

/// What a statement reads of one table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Bytes of all of its scans.
    pub(crate) total: u64,
    /// Bytes of the scan that reads most.
    pub(crate) largest: u64,
}

pub(crate) fn scanned_bytes(plan: &LogicalPlan, tables: &[Table]) -> Result<Vec<Scanned>, Failure> {
    let mut scanned = vec![Scanned::default(); tables.len()];
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(number) = table_number(provider.as_ref())
        {
            let bytes = tables[number].bytes_of(scan.projection.as_deref());
            scanned[number].total += bytes;
            scanned[number].largest = scanned[number].largest.max(bytes);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scanned)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use tidemill_protocol::job::{CsvOptions, Format};

    use super::*;
    use crate::table::TableFile;

    const ENOUGH: usize = 1 << 40;

    /// A table of one file of so many rows, by what a value of a CSV file is taken to have.
    fn table(rows: u64) -> Table {
        let file = TableFile {
            key: "tables/t/1.csv".into(),
            size: 8 * rows,
            etag: String::new(),
            gzip: false,
            values: vec![],
            lines: vec![],
        };
        Table {
            name: "t".into(),
            format: Format::Csv,
            csv: CsvOptions::default(),
            quarantine: false,
            inferred: false,
            schema: Schema::new(vec![Field::new("n", DataType::Int64, true)]).into(),
            partition_columns: vec![],
            files: vec![file],
            statistics: None,
        }
    }

    #[test]
    fn a_task_collects_a_quarter_of_what_it_scans_but_what_its_memory_has_room_for() {
        let tables = [table(1_000_000), table(80_000_000)];
        let collected = |scans: [usize; 2], memory| {
            Spread::new(1, scans.to_vec(), &tables, memory).collected_rows
        };
        assert_eq!(collected([1, 10], ENOUGH), 2_000_000);
        assert_eq!(collected([1, 1_000], ENOUGH), 250_000);
        assert_eq!(collected([1, 10], 256 * 1_000_000), 1_000_000);
        assert_eq!(collected([100, 10_000], ENOUGH), COLLECTED_ROWS_MAX);
        assert_eq!(collected([1, 10], 0), COLLECTED_ROWS_MAX);
    }

    #[test]
    fn the_optimizer_is_told_in_rows_and_in_bytes() {
        let mut options = OptimizerOptions::default();
        Spread::within(2, &[]).set(&mut options);
        let told = |o: &OptimizerOptions| {
            (o.hash_join_single_partition_threshold_rows, o.hash_join_single_partition_threshold)
        };
        assert_eq!(told(&options), told(&OptimizerOptions::default()));
        Spread::new(1, vec![1], &[table(4_000_000)], ENOUGH).set(&mut options);
        assert_eq!(told(&options), (1_000_000, 8_000_000));
    }
}
