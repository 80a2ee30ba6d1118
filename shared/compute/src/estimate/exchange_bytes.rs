//! Bytes that a stage writes for others.

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use tidemill_protocol::cost::Bounds;
use tidemill_protocol::record::Output;

use super::{PlanRef, Rows, partitions};
use crate::stage::{StageDraft, row_inputs};
use crate::table::Table;

/// Bytes of a text and of a nested value, where no more is known of the texts in the tables.
pub(super) const TEXT_BYTES: f64 = 24.0;
const NESTED_BYTES: f64 = 64.0;

/// What LZ4 leaves of a batch at best.
const LZ4_SHARE_MIN: f64 = 0.1;

/// Bytes of a slot beside its rows: a schema, the headers of messages.
const SLOT_OVERHEAD_BYTES: f64 = 1024.0;

/// Bytes of a stage's exchange: at least the fixed columns of its rows, as LZ4 compresses them at best; at
/// most all of their bytes, and what is around them in each slot that may have rows.
pub(super) fn exchange_bytes(draft: &StageDraft, rows: Rows, text: f64) -> Bounds<u64> {
    let Output::Exchange { slots } = draft.output else { return Bounds::default() };
    let (least, most) = (width(&draft.plan.schema(), 0.0), width(&draft.plan.schema(), text));
    let all_slots = f64::from(slots) * partitions(&draft.plan);
    let high = rows.high * most + all_slots.min(rows.high) * SLOT_OVERHEAD_BYTES;
    let bytes = Bounds { low: rows.low * least * LZ4_SHARE_MIN, high };
    bytes.map(|bytes| bytes as u64)
}

/// Whether a partition has so many rows at most, whatever its inputs have.
pub(super) fn is_bounded(plan: &PlanRef) -> bool {
    let is_total = |a: &AggregateExec| a.group_expr().expr().is_empty();
    let keeps_rows = plan.is::<ProjectionExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<ScalarSubqueryExec>();
    plan.fetch().is_some()
        || plan.downcast_ref::<AggregateExec>().is_some_and(is_total)
        || keeps_rows && row_inputs(plan).into_iter().all(is_bounded)
}

/// Bytes of a text in the table that has the longest, on average, as far as files tell.
pub(super) fn text_bytes(tables: &[Table]) -> f64 {
    tables.iter().filter_map(longest_text_bytes).fold(TEXT_BYTES, f64::max)
}

/// Bytes of a text in the column of a table that has the longest, on average, if its files tell.
fn longest_text_bytes(table: &Table) -> Option<f64> {
    let known = &table.statistics.as_ref()?.statistics;
    let rows = *known.num_rows.get_value()? as f64;
    let schema = table.file_schema();
    let columns = schema.fields().iter().zip(&known.column_statistics);
    let texts = columns.filter(|(field, _)| field.data_type().primitive_width().is_none());
    let bytes = texts.filter_map(|(_, column)| column.byte_size.get_value().copied()).max()?;
    Some(bytes as f64 / rows.max(1.0) + std::mem::size_of::<u128>() as f64)
}

/// Bytes of a row in memory, where a text has so many.
pub(super) fn width(schema: &Schema, text: f64) -> f64 {
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
