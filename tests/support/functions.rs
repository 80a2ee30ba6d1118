//! Functions as those of Python are, without Python: what they do is known, and how often it is counted.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use tidemill_protocol::function::{Function, FunctionCaller};
use tidemill_protocol::{EngineError, RunId};

/// What files `functions/<name>.py` declare.
const DECLARED: &[(&str, &str)] = &[
    ("same_int", "args = ['bigint']\nreturns = 'bigint'"),
    ("same_float", "args = ['double']\nreturns = 'double'"),
    ("same_text", "args = ['text']\nreturns = 'text'"),
    ("same_bool", "args = ['boolean']\nreturns = 'boolean'"),
    ("same_date", "args = ['date']\nreturns = 'date'"),
    ("plus", "args = ['bigint', 'bigint']\nreturns = 'bigint'"),
    ("or_zero", "args = ['bigint']\nreturns = 'bigint'\non_null = 'call'"),
    ("drawn", "args = ['bigint']\nreturns = 'bigint'\nvolatility = 'volatile'"),
    ("slow", "args = ['bigint']\nreturns = 'bigint'\ncost = '10s'"),
    ("seven", "returns = 'bigint'"),
    ("total", "kind = 'aggregate'\nargs = ['double']\nreturns = 'double'"),
    ("all_of", "kind = 'aggregate'\nargs = ['double']\nreturns = 'bigint'\non_null = 'call'"),
    ("pieces", "kind = 'table'\nargs = ['text']\nreturns = 'piece text, place bigint'"),
];

/// Keys and bytes of the files.
pub(crate) fn files() -> impl Iterator<Item = (String, String)> {
    DECLARED.iter().map(|(name, declared)| {
        let lines = declared.lines().map(|line| format!("# {line}\n")).collect::<String>();
        (format!("functions/{name}.py"), format!("# /// tidemill\n{lines}# ///\n"))
    })
}

/// Those of them that a session without tasks can have, too.
pub(crate) fn in_one_process() -> Vec<ScalarUDF> {
    let same = [
        ("same_int", DataType::Int64),
        ("same_float", DataType::Float64),
        ("same_text", DataType::Utf8),
        ("same_bool", DataType::Boolean),
        ("same_date", DataType::Date32),
    ];
    same.into_iter()
        .map(|(name, kind)| {
            let first = Arc::new(|args: &[ColumnarValue]| Ok(args[0].clone()));
            create_udf(name, vec![kind.clone()], kind, Volatility::Immutable, first)
        })
        .collect()
}

/// Makes the calls.
#[derive(Debug, Default)]
pub(crate) struct NativeFunctions {
    rows: Mutex<BTreeMap<String, usize>>,
    /// One call at a time, as a worker with one child makes them.
    turn: tokio::sync::Mutex<()>,
}

impl NativeFunctions {
    /// How many rows each function was called for since this was asked last.
    pub(crate) fn take_counts(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.rows.lock().expect("a lock"))
    }
}

#[async_trait]
impl FunctionCaller for NativeFunctions {
    async fn call(
        &self,
        _: &RunId,
        name: &str,
        _: &Function,
        types: Bytes,
        rows: Bytes,
    ) -> Result<Bytes, EngineError> {
        let _turn = self.turn.lock().await;
        tokio::task::yield_now().await;
        let types = StreamReader::try_new(Cursor::new(types), None).expect("types").schema();
        let mut batches = StreamReader::try_new(Cursor::new(rows), None).expect("rows");
        let batch = batches.next().expect("a batch").expect("a batch that can be read");
        *self.rows.lock().expect("a lock").entry(name.to_owned()).or_default() += batch.num_rows();
        let column = called(name, &batch, &types)?;
        let made = RecordBatch::try_new(types.clone(), vec![column]).expect("the declared type");
        let mut writer = StreamWriter::try_new(vec![], &types).expect("a writer");
        writer.write(&made).expect("written");
        Ok(writer.into_inner().expect("written").into())
    }
}

fn called(name: &str, batch: &RecordBatch, types: &Schema) -> Result<ArrayRef, EngineError> {
    let ints = |n: usize| batch.column(n).as_primitive::<Int64Type>();
    Ok(match name {
        "same_int" | "same_float" | "same_text" | "same_bool" | "same_date" => {
            batch.column(0).clone()
        }
        "plus" => {
            let sums = ints(0).iter().zip(ints(1)).map(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => {
                    let refused =
                        || EngineError::Refused(format!("function plus raised at {a}, {b}"));
                    a.checked_add(b).ok_or_else(refused).map(Some)
                }
                _ => panic!("a row with NULL is not for this function"),
            });
            Arc::new(sums.collect::<Result<Int64Array, _>>()?)
        }
        "or_zero" => Arc::new(ints(0).iter().map(|n| Some(n.unwrap_or(0))).collect::<Int64Array>()),
        "drawn" => Arc::new(ints(0).clone()),
        "slow" => Arc::new(ints(0).iter().map(|n| n.map(|n| n + 1)).collect::<Int64Array>()),
        "seven" => Arc::new(Int64Array::from(vec![7; batch.num_rows()])),
        "total" | "all_of" => {
            let groups = batch.column(0).as_list::<i32>();
            let totals = groups.iter().map(|group| {
                let rows = group.as_ref().map(|g| g.as_struct().column(0).clone());
                let rows = rows.as_ref().map(|r| r.as_primitive::<Float64Type>());
                let sum = rows.map_or(0.0, |r| r.iter().flatten().sum::<f64>());
                (sum, rows.map_or(0, |r| r.len() as i64))
            });
            let (sums, counts): (Vec<_>, Vec<_>) = totals.unzip();
            match name {
                "total" => Arc::new(Float64Array::from(sums)),
                _ => Arc::new(Int64Array::from(counts)),
            }
        }
        "pieces" => pieces(batch.column(0).as_string(), types),
        other => panic!("{other} is none of these functions"),
    })
}

/// The words of texts, and their places.
fn pieces(texts: &StringArray, types: &Schema) -> ArrayRef {
    let DataType::List(row) = types.field(0).data_type() else { panic!("no list") };
    let DataType::Struct(columns) = row.data_type() else { panic!("no rows") };
    let words: Vec<Vec<_>> =
        texts.iter().map(|t| t.unwrap_or_default().split_whitespace().collect()).collect();
    let places = words.iter().flat_map(|words| 0..words.len() as i64);
    let (all, places) = (StringArray::from(words.concat()), Int64Array::from_iter_values(places));
    let all: Vec<ArrayRef> = vec![Arc::new(all), Arc::new(places)];
    let all = all.iter().zip(columns).map(|(c, f)| cast(c, f.data_type()).expect("a cast"));
    let rows = StructArray::new(columns.clone(), all.collect(), None);
    let offsets = OffsetBuffer::from_lengths(words.iter().map(Vec::len));
    Arc::new(ListArray::new(row.clone(), offsets, Arc::new(rows), None))
}
