//! Bytes and requests for the tables that a stage scans.

use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_plan::joins::HashJoinExec;
use tidemill_protocol::job::Format;
use tidemill_protocol::record::StageIo;

use super::{PlanRef, file_columns, file_scan, partitions};
use crate::stage::collects_left;
use crate::store::SMALL_FILE_BYTES_MAX;
use crate::table::{PARQUET_FOOTER_BYTES, Table};

/// Ranges of an object that are no further apart are fetched together (object_store).
const COALESCED_GAP_BYTES_MAX: u64 = 1024 * 1024;

/// Adds what the scans below a plan take, each `times` times.
pub(super) fn add_scans(io: &mut StageIo, plan: &PlanRef, tables: &[Table], times: u64) {
    if let Some((config, table)) = file_scan(plan, tables) {
        let columns = file_columns(config);
        let is_parquet = table.format == Format::Parquet;
        io.prunes |= is_parquet && config.file_source().filter().is_some();
        for group in &config.file_groups {
            let piece = |file: &PartitionedFile| {
                let range = file.range.as_ref().map(|r| (r.start as u64, r.end as u64));
                (file.object_meta.size, range)
            };
            add_files(io, table, columns.as_deref(), group.iter().map(piece), times);
        }
    }
    // a join whose one side is empty reads nothing of the other
    io.prunes |= plan.is::<HashJoinExec>();
    // every task executes the side of a join that it collects
    let repeated = times * partitions(plan) as u64;
    for (n, child) in plan.children().into_iter().enumerate() {
        let is_collected = n == 0 && collects_left(plan);
        add_scans(io, child, tables, if is_collected { repeated } else { times });
    }
}

/// Adds pieces of files: the size of each file, and the range that is read of it. Of a large Parquet file
/// that is its footer, and its share of what the read columns have in all row groups; of others the range.
pub(super) fn add_files(
    io: &mut StageIo,
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
    io.table_bytes += (bytes + footer_bytes) * times;
    io.table_requests += (requests + footers) * times;
    io.footer_bytes += footer_bytes * times;
    io.footer_requests += footers * times;
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
