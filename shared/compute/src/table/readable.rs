//! Columns that files hold and nothing here reads right.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use tidemill_protocol::job::Format;

use super::{Table, table_number};
use crate::error::{Failure, refused};

impl Table {
    /// The places of the columns that can be read.
    pub(super) fn readable_columns(&self) -> Vec<usize> {
        let fields = self.schema.0.fields();
        (0..fields.len()).filter(|n| !self.is_unreadable(fields[*n].data_type())).collect()
    }

    /// The reader of Parquet leaves the months of an interval out, or all but the months.
    fn is_unreadable(&self, data_type: &DataType) -> bool {
        self.format == Format::Parquet && holds_interval(data_type)
    }
}

fn holds_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(_) => true,
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => holds_interval(f.data_type()),
        DataType::Struct(fields) => fields.iter().any(|f| holds_interval(f.data_type())),
        _ => false,
    }
}

/// # Errors
/// A statement reads a column that cannot be read.
pub(crate) fn check_columns(plan: &LogicalPlan, tables: &[Table]) -> Result<(), Failure> {
    let mut unreadable = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(table) = table_number(provider.as_ref()).and_then(|n| tables.get(n))
        {
            let fields = scan.projected_schema.fields();
            let fields = fields.iter().filter(|f| table.is_unreadable(f.data_type()));
            unreadable.extend(fields.map(|f| (table.name.clone(), f.name().clone())));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match unreadable.first() {
        None => Ok(()),
        Some((table, column)) => refused(format!(
            "column {column} of table {table} holds intervals of Parquet, whose months cannot be read: \
             name the other columns, or have the system that wrote it write text or a number"
        )),
    }
}
