use std::sync::Arc;

use anyhow::Context;
use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use tidemill_protocol::calls::{CallOutcome, CallRecord, PackIndex};

/// What the calls of a part came to, as rows. Values and exceptions are pickles, which only Python reads.
pub(super) fn rows(key: &str, part: &[u8]) -> anyhow::Result<RecordBatch> {
    let index = PackIndex::decode(part, part.len() as u64);
    let PackIndex { first, records, .. } = index.with_context(|| format!("{key} is damaged"))?;
    let numbers = (first..).take(records.len()).map(whole);
    let texts = |of: fn(&CallRecord) -> Option<String>| {
        Arc::new(records.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let printed = |of: fn(&CallRecord) -> &str| {
        Arc::new(records.iter().map(|r| some(of(r))).collect::<StringArray>()) as ArrayRef
    };
    let peaks = records.iter().map(|r| whole(r.peak_memory_bytes));
    let attempts = records.iter().map(|r| i64::from(r.attempts));
    let columns: [(&str, ArrayRef); 8] = [
        ("call", Arc::new(Int64Array::from_iter_values(numbers))),
        ("outcome", texts(outcome)),
        ("error", texts(error)),
        ("seconds", Arc::new(records.iter().map(|r| r.seconds).collect::<Float64Array>())),
        ("peak_memory_bytes", Arc::new(Int64Array::from_iter_values(peaks))),
        ("attempts", Arc::new(Int64Array::from_iter_values(attempts))),
        ("stdout", printed(|r| &r.stdout)),
        ("stderr", printed(|r| &r.stderr)),
    ];
    let nullable = |name: &str| ["error", "stdout", "stderr"].contains(&name);
    let field = |(name, column): &(&str, ArrayRef)| {
        let kind: &DataType = column.data_type();
        Field::new(*name, kind.clone(), nullable(name))
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn outcome(record: &CallRecord) -> Option<String> {
    let text = match &record.outcome {
        CallOutcome::Returned { .. } => "returned",
        CallOutcome::Raised { .. } => "raised",
        CallOutcome::Killed { .. } => "killed",
    };
    Some(text.into())
}

fn error(record: &CallRecord) -> Option<String> {
    match &record.outcome {
        CallOutcome::Returned { .. } => None,
        CallOutcome::Raised { type_name, message, .. } => Some(format!("{type_name}: {message}")),
        CallOutcome::Killed { message, .. } => Some(message.clone()),
    }
}
