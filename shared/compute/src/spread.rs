//! How many tasks a job is worth.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;

use tidemill_protocol::{Workers, cost};

use crate::error::Failure;
use crate::table::{Table, table_number};

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
        let hashed = cost::asked_partitions(u64::from(partitions));
        let scans = vec![partitions as usize; tables.len()];
        Self { partitions: usize::try_from(hashed).unwrap_or(1), scans }
    }

    /// By the bytes that the statement reads, as the estimate of a run says; `None` if fewer than
    /// `one_task` bytes.
    ///
    /// # Errors
    /// The plan cannot be walked.
    pub(crate) fn of(
        plan: &LogicalPlan,
        tables: &[Table],
        one_task: u64,
        workers: &Workers,
    ) -> Result<Option<Self>, Failure> {
        let scans = scanned_bytes(plan, tables)?;
        let total: u64 = scans.iter().map(|s| s.total).sum();
        if total < one_task {
            return Ok(None);
        }
        let count = |n: u64| usize::try_from(n).unwrap_or(1);
        let scans: Vec<_> = scans.iter().map(|s| cost::splits(s.largest, workers)).collect();
        let most = scans.iter().copied().max().unwrap_or(1);
        Ok(Some(Self {
            partitions: count(cost::partitions(total, most)),
            scans: scans.into_iter().map(count).collect(),
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
