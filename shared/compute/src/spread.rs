//! How many tasks a job is worth.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;

use crate::error::Failure;
use crate::table::{Table, table_number};

/// Bytes of a table that are worth a task of their own.
const SPLIT_BYTES: u64 = 128 * 1024 * 1024;

/// Bytes of input for each partition of a hash exchange.
const PARTITION_BYTES: u64 = 64 * 1024 * 1024;

/// Writers times partitions of an exchange.
const MAX_SLOTS: usize = 100_000;

/// Of a job that does not ask for more.
const MAX_PARTITIONS: u64 = 256;

/// How a job is spread.
pub(crate) struct Spread {
    /// Of hash exchanges.
    pub(crate) partitions: usize,
    /// Of the scan of each table.
    pub(crate) scans: Vec<usize>,
}

impl Spread {
    /// Over so many partitions, whatever the job reads.
    pub(crate) fn over(partitions: u32, tables: &[Table]) -> Self {
        let asked = partitions as usize;
        let partitions = asked.min((MAX_SLOTS / asked.max(1)).max(1));
        Self { partitions, scans: vec![asked; tables.len()] }
    }

    /// By the bytes that the statement reads; `None` if fewer than `one_task` bytes.
    ///
    /// # Errors
    /// The plan cannot be walked.
    pub(crate) fn of(
        plan: &LogicalPlan,
        tables: &[Table],
        one_task: u64,
    ) -> Result<Option<Self>, Failure> {
        let scans = scanned_bytes(plan, tables)?;
        let total: u64 = scans.iter().map(|s| s.total).sum();
        if total < one_task {
            return Ok(None);
        }
        let count = |bytes: u64, each: u64| {
            usize::try_from(bytes.div_ceil(each).clamp(1, MAX_PARTITIONS)).unwrap_or(1)
        };
        Ok(Some(Self {
            partitions: count(total, PARTITION_BYTES).max(2),
            scans: scans.iter().map(|s| count(s.largest, SPLIT_BYTES)).collect(),
        }))
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
