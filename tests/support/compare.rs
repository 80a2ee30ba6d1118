//! Compares two results of one query.
//!
//! Rows are a multiset, whatever the types of their columns are called: text is text, be it a
//! view, a dictionary or neither. Floats, nested ones too, are the same to 1e-9 of the larger one:
//! a sum depends on the order in which its rows come. Where a query has an order, only its keys
//! are compared in order; rows of the same keys may come in any.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// How much of the larger of two floats they may differ by.
const TOLERANCE: f64 = 1e-9;

/// Stands in the text of a cell for each of its floats.
const FLOAT: char = '\u{1}';

/// How many of the rows that differ are shown.
const SHOWN_ROWS_MAX: usize = 3;

/// What a query says of the rows of its result, given all rows without its limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    /// Columns that the rows are ordered by.
    pub(crate) keys: Vec<usize>,
    pub(crate) skip: usize,
    pub(crate) fetch: Option<usize>,
}

impl Rule {
    pub(crate) fn ordered_by(keys: &[usize]) -> Self {
        Self { keys: keys.to_vec(), ..Self::default() }
    }

    pub(crate) fn limited(self, skip: usize, fetch: Option<usize>) -> Self {
        Self { skip, fetch, ..self }
    }

    /// Which of so many rows are the result.
    fn window(&self, rows: usize) -> std::ops::Range<usize> {
        let from = self.skip.min(rows);
        from..self.fetch.map_or(rows, |n| rows.min(from.saturating_add(n)))
    }
}

/// Compares what a query over so many partitions gave with all rows that it may give, in order.
///
/// # Errors
/// The query and the first rows that differ.
pub(crate) fn compare(
    sql: &str,
    partitions: Option<u32>,
    rule: &Rule,
    expected: &[RecordBatch],
    actual: &[RecordBatch],
) -> Result<(), String> {
    let over = partitions.map_or("one task".to_owned(), |n| format!("{n} partitions"));
    let rows = |batches: &[RecordBatch]| batches.iter().flat_map(rows).collect::<Vec<_>>();
    same_types(expected, actual)
        .and_then(|()| same_rows(rule, &rows(expected), &rows(actual)))
        .map_err(|why| format!("over {over}, {why}\n{sql}"))
}

fn same_types(expected: &[RecordBatch], actual: &[RecordBatch]) -> Result<(), String> {
    let (Some(expected), Some(actual)) = (expected.first(), actual.first()) else {
        return Ok(());
    };
    let types = |batch: &RecordBatch| -> Vec<_> {
        batch.schema().fields().iter().map(|f| plain_type(f.data_type())).collect()
    };
    let (expected, actual) = (types(expected), types(actual));
    if expected == actual {
        return Ok(());
    }
    Err(format!("the columns should be {expected:?} and are {actual:?}"))
}

/// A type without the way it is laid out; Parquet has no seconds, so they are milliseconds.
fn plain_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => plain_type(&DataType::Utf8),
        DataType::BinaryView | DataType::LargeBinary => plain_type(&DataType::Binary),
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::Date64 => plain_type(&DataType::Timestamp(TimeUnit::Millisecond, None)),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            plain_type(&DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))
        }
        DataType::Time32(_) => plain_type(&DataType::Time64(TimeUnit::Millisecond)),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("[{}]", plain_type(item.data_type()))
        }
        DataType::Struct(fields) => {
            let field = |f: &std::sync::Arc<datafusion::arrow::datatypes::Field>| {
                format!("{}: {}", f.name(), plain_type(f.data_type()))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entries, _) => format!("map {}", plain_type(entries.data_type())),
        other => other.to_string(),
    }
}

fn same_rows(rule: &Rule, expected: &[Row], actual: &[Row]) -> Result<(), String> {
    let window = &expected[rule.window(expected.len())];
    let (surplus, missing) = unmatched(expected, actual);
    let whole = window.len() == expected.len();
    if !surplus.is_empty() || (whole && !missing.is_empty()) {
        let missing = if whole { show(&missing) } else { String::new() };
        return Err(format!(
            "{} rows should be {}; missing:\n{missing}too many:\n{}",
            actual.len(),
            window.len(),
            show(&surplus)
        ));
    }
    if actual.len() != window.len() {
        return Err(format!("{} rows should be {}", actual.len(), window.len()));
    }
    let keys = |row: &Row| Row(rule.keys.iter().map(|k| row.0[*k].clone()).collect());
    match window.iter().zip(actual).position(|(e, a)| !keys(e).is(&keys(a))) {
        None => Ok(()),
        Some(at) => Err(format!(
            "the order differs from row {at} on; it should be:\n{}and is:\n{}",
            show(&window[at..].iter().collect::<Vec<_>>()),
            show(&actual[at..].iter().collect::<Vec<_>>())
        )),
    }
}

/// The actual rows that are not expected, and the expected rows that are not there.
fn unmatched<'a>(expected: &'a [Row], actual: &'a [Row]) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let mut rest: HashMap<String, Vec<&Row>> = HashMap::new();
    for row in expected.iter().rev() {
        rest.entry(row.text()).or_default().push(row);
    }
    // equal floats first, so that a row does not take the place of one that is closer
    let mut take = |row: &Row, same: fn(&Row, &Row) -> bool| {
        let alike = rest.get_mut(&row.text())?;
        let at = alike.iter().rposition(|e| same(e, row))?;
        Some(alike.remove(at))
    };
    let close: Vec<_> =
        actual.iter().filter(|row| take(row, |a, b| a.bits() == b.bits()).is_none()).collect();
    let surplus: Vec<_> = close.into_iter().filter(|row| take(row, Row::is).is_none()).collect();
    let mut missing: Vec<_> = rest.into_values().flatten().collect();
    missing.sort_by_key(|row| row.text());
    (surplus, missing)
}

fn show(rows: &[&Row]) -> String {
    let more = rows.len().saturating_sub(SHOWN_ROWS_MAX);
    let lines = rows.iter().take(SHOWN_ROWS_MAX).map(|row| format!("  {}\n", row.shown()));
    lines.chain((more > 0).then(|| format!("  … and {more} more\n"))).collect()
}

/// The cells of one row.
struct Row(Vec<Cell>);

/// A value as text, and its floats apart from it.
#[derive(Clone, Default)]
struct Cell {
    text: String,
    floats: Vec<f64>,
}

impl Row {
    /// All but the floats.
    fn text(&self) -> String {
        self.0.iter().flat_map(|c| [&c.text, "|"]).collect()
    }

    fn floats(&self) -> impl Iterator<Item = f64> {
        self.0.iter().flat_map(|c| c.floats.iter().copied())
    }

    fn bits(&self) -> Vec<u64> {
        self.floats().map(f64::to_bits).collect()
    }

    fn is(&self, other: &Self) -> bool {
        self.text() == other.text()
            && self.floats().zip(other.floats()).all(|(a, b)| same_float(a, b))
    }

    fn shown(&self) -> String {
        let mut floats = self.floats();
        let text = self.text();
        text.chars()
            .map(|c| match c {
                FLOAT => floats.next().map_or(String::new(), |f| format!("{f:?}")),
                c => c.to_string(),
            })
            .collect()
    }
}

fn same_float(a: f64, b: f64) -> bool {
    if a.is_finite() && b.is_finite() {
        return (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
    }
    a == b || (a.is_nan() && b.is_nan())
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let cell = |column: &ArrayRef, row| {
        let mut cell = Cell::default();
        cell.add(column, row);
        cell
    };
    (0..batch.num_rows())
        .map(|row| Row(batch.columns().iter().map(|c| cell(c, row)).collect()))
        .collect()
}

const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("∅");

impl Cell {
    fn add(&mut self, array: &ArrayRef, row: usize) {
        if array.is_null(row) {
            self.text.push('∅');
            return;
        }
        match array.data_type() {
            DataType::Float16 => {
                self.float(array.as_primitive::<Float16Type>().value(row).to_f64());
            }
            DataType::Float32 => self.float(array.as_primitive::<Float32Type>().value(row).into()),
            DataType::Float64 => self.float(array.as_primitive::<Float64Type>().value(row)),
            DataType::Utf8 => self.quoted(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => self.quoted(array.as_string::<i64>().value(row)),
            DataType::Utf8View => self.quoted(array.as_string_view().value(row)),
            DataType::Dictionary(..) => {
                let keys = array.as_any_dictionary();
                self.add(keys.values(), keys.normalized_keys()[row]);
            }
            DataType::List(_) => self.list(&array.as_list::<i32>().value(row)),
            DataType::LargeList(_) => self.list(&array.as_list::<i64>().value(row)),
            DataType::FixedSizeList(..) => self.list(&array.as_fixed_size_list().value(row)),
            DataType::Map(..) => {
                let entries: ArrayRef = std::sync::Arc::new(array.as_map().value(row));
                self.list(&entries);
            }
            DataType::Struct(_) => self.fields(array.as_struct().columns(), row),
            _ => {
                let formatter = ArrayFormatter::try_new(array, &OPTIONS).expect("a formatter");
                self.text.push_str(&formatter.value(row).to_string());
            }
        }
    }

    fn float(&mut self, value: f64) {
        self.text.push(FLOAT);
        self.floats.push(value);
    }

    fn quoted(&mut self, value: &str) {
        self.text.push_str(&format!("{value:?}"));
    }

    fn list(&mut self, items: &ArrayRef) {
        self.text.push('[');
        for row in 0..items.len() {
            self.add(items, row);
            self.text.push(',');
        }
        self.text.push(']');
    }

    fn fields(&mut self, columns: &[ArrayRef], row: usize) {
        self.text.push('{');
        for column in columns {
            self.add(column, row);
            self.text.push(',');
        }
        self.text.push('}');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{
        BinaryArray, BinaryViewArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
        Int64Array, ListArray, MapBuilder, StringArray, StringBuilder, StringViewArray,
        StructArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampSecondArray,
    };
    use datafusion::arrow::datatypes::{Field, Int32Type};

    use super::*;

    fn batch<const N: usize>(columns: [ArrayRef; N]) -> Vec<RecordBatch> {
        let named = columns.into_iter().enumerate().map(|(n, c)| (format!("c{n}"), c, true));
        vec![RecordBatch::try_from_iter_with_nullable(named).expect("a batch")]
    }

    fn ints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn floats(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    fn verdict(rule: &Rule, expected: ArrayRef, actual: ArrayRef) -> Result<(), String> {
        compare("SELECT", Some(2), rule, &batch([expected]), &batch([actual]))
    }

    fn same(expected: ArrayRef, actual: ArrayRef) -> bool {
        verdict(&Rule::default(), expected, actual).is_ok()
    }

    #[test]
    fn rows_are_a_multiset() {
        assert!(same(ints(&[1, 2, 2]), ints(&[2, 1, 2])));
        assert!(!same(ints(&[1, 2, 2]), ints(&[1, 1, 2])));
        assert!(!same(ints(&[1, 2]), ints(&[1, 2, 2])));
        assert!(!same(ints(&[1, 2, 2]), ints(&[1, 2])));
        assert!(!same(ints(&[]), ints(&[1])));
        assert!(same(ints(&[]), ints(&[])));
        let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert!(!same(nulls, ints(&[1, 0])));
    }

    #[test]
    fn rows_that_come_in_several_batches_are_one_result() {
        let expected = batch([ints(&[1, 2, 3])]);
        let actual = [batch([ints(&[3])]), batch([ints(&[])]), batch([ints(&[1, 2])])].concat();
        compare("SELECT", None, &Rule::default(), &expected, &actual).expect("the same");
    }

    #[test]
    fn a_difference_names_the_query_the_partitions_and_the_rows() {
        let text = |cells: &[&str]| -> ArrayRef { Arc::new(StringArray::from(cells.to_vec())) };
        let why = verdict(&Rule::default(), text(&["a", "b"]), text(&["a", "c|"]));
        let why = why.expect_err("a difference");
        assert_eq!(
            why,
            "over 2 partitions, 2 rows should be 2; missing:\n  \"b\"|\ntoo many:\n  \"c|\"|\n\nSELECT"
        );
    }

    #[test]
    fn floats_may_differ_by_their_rounding_and_no_more() {
        let third = 1.0 / 3.0;
        assert!(same(floats(&[third, 1e30]), floats(&[1e30 * (1.0 + 1e-12), third + 1e-16])));
        assert!(!same(floats(&[third]), floats(&[third + 1e-8])));
        assert!(same(floats(&[f64::NAN, 0.0]), floats(&[-0.0, f64::NAN])));
        assert!(same(floats(&[f64::INFINITY]), floats(&[f64::INFINITY])));
        assert!(!same(floats(&[f64::INFINITY]), floats(&[1.0])));
        assert!(!same(floats(&[f64::INFINITY]), floats(&[f64::NEG_INFINITY])));
        assert!(!same(floats(&[f64::NAN]), floats(&[0.0])));
        assert!(!same(floats(&[0.0]), floats(&[1e-300])));
    }

    #[test]
    fn floats_that_are_close_to_each_other_find_their_own() {
        // in the order of their values the second column would be crossed
        let expected = batch([floats(&[1.0, 1.0 + 1e-15]), ints(&[1, 2])]);
        let actual = batch([floats(&[1.0, 1.0 + 1e-15]), ints(&[2, 1])]);
        compare("SELECT", None, &Rule::default(), &expected, &actual).expect("the same");
        let near = |n: f64| 1.0 + n * 0.9e-9;
        assert!(same(floats(&[near(0.0), near(1.0)]), floats(&[near(1.0), near(0.0)])));
        assert!(same(floats(&[near(1.0), near(0.0)]), floats(&[near(1.0), near(0.0)])));
    }

    #[test]
    fn nested_floats_are_floats() {
        let list = |values: &[f64]| -> ArrayRef {
            let item = Arc::new(Field::new("item", DataType::Float64, true));
            let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths([values.len()]);
            Arc::new(ListArray::new(item, offsets, floats(values), None))
        };
        assert!(same(list(&[0.1 + 0.2, 1.0]), list(&[0.3, 1.0])));
        assert!(!same(list(&[0.3, 1.0]), list(&[1.0, 0.3])));
        assert!(!same(list(&[0.3]), list(&[0.3, 0.3])));
        let fields = |value: f64| -> ArrayRef {
            let field = Arc::new(Field::new("x", DataType::Float64, true));
            Arc::new(StructArray::from(vec![(field, floats(&[value]))]))
        };
        assert!(same(fields(0.1 + 0.2), fields(0.3)));
        assert!(!same(fields(0.31), fields(0.3)));
    }

    #[test]
    fn the_layout_of_text_and_bytes_does_not_matter_and_the_value_does() {
        let text = |t: &str| -> ArrayRef { Arc::new(StringArray::from(vec![t])) };
        let view = |t: &str| -> ArrayRef { Arc::new(StringViewArray::from(vec![t])) };
        let dictionary = |t: &str| -> ArrayRef {
            Arc::new([t].into_iter().collect::<DictionaryArray<Int32Type>>())
        };
        assert!(same(text("a"), view("a")) && same(view("a"), dictionary("a")));
        assert!(!same(text("a"), view("b")) && !same(text("a"), dictionary("b")));
        assert!(!same(text("∅"), Arc::new(StringArray::from(vec![None::<&str>]))));
        let binary: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]]));
        let binary_view: ArrayRef = Arc::new(BinaryViewArray::from(vec![&b"\x00\xff"[..]]));
        assert!(same(binary.clone(), binary_view));
        assert!(!same(binary, Arc::new(BinaryArray::from(vec![&b"\x00\xfe"[..]]))));
    }

    #[test]
    fn numbers_and_times_keep_their_types() {
        assert!(!same(ints(&[1]), Arc::new(Int32Array::from(vec![1]))));
        let decimal = |value, scale| -> ArrayRef {
            let array = Decimal128Array::from(vec![value]);
            Arc::new(array.with_precision_and_scale(12, scale).expect("a decimal"))
        };
        assert!(same(decimal(150, 2), decimal(150, 2)));
        assert!(!same(decimal(150, 2), decimal(151, 2)) && !same(decimal(150, 2), decimal(15, 1)));
        let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![5]));
        let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![5000]));
        assert!(same(seconds, millis));
        let zoned = |zone: &str, value| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone(zone))
        };
        assert!(same(zoned("+02:00", 7), zoned("+02:00", 7)));
        assert!(!same(zoned("+02:00", 7), zoned("+02:00", 8)));
        assert!(!same(zoned("+02:00", 7), zoned("+03:00", 7)));
    }

    #[test]
    fn maps_are_their_entries() {
        let map = |value: &str| -> ArrayRef {
            let (keys, values) = (StringBuilder::new(), StringBuilder::new());
            let mut builder = MapBuilder::new(None, keys, values);
            builder.keys().append_value("k");
            builder.values().append_value(value);
            builder.append(true).expect("an entry");
            Arc::new(builder.finish())
        };
        assert!(same(map("a"), map("a")) && !same(map("a"), map("b")));
    }

    #[test]
    fn an_order_is_that_of_its_keys() {
        let rows = |keys: &[i64], rest: &[i64]| batch([ints(keys), ints(rest)]);
        let verdict = |expected: &[RecordBatch], actual: &[RecordBatch]| {
            compare("SELECT", None, &Rule::ordered_by(&[0]), expected, actual)
        };
        let expected = rows(&[1, 1, 2], &[7, 8, 9]);
        verdict(&expected, &rows(&[1, 1, 2], &[8, 7, 9])).expect("equal keys may change places");
        let why = verdict(&expected, &rows(&[1, 2, 1], &[7, 9, 8])).expect_err("an order");
        assert!(why.contains("from row 1 on"), "{why}");
        assert!(verdict(&expected, &rows(&[1, 1, 2], &[7, 7, 9])).is_err());
    }

    #[test]
    fn a_limit_is_so_many_of_the_rows_and_the_keys_of_the_first() {
        let any = Rule::default().limited(0, Some(2));
        let all = || ints(&[1, 2, 3, 3]);
        assert!(verdict(&any, all(), ints(&[3, 1])).is_ok());
        assert!(verdict(&any, all(), ints(&[3, 3])).is_ok());
        assert!(verdict(&any, all(), ints(&[1, 1])).is_err());
        assert!(verdict(&any, all(), ints(&[1])).is_err());
        assert!(verdict(&any, all(), ints(&[1, 2, 3])).is_err());
        assert!(verdict(&any, ints(&[1]), ints(&[1])).is_ok());
        let first = Rule::ordered_by(&[0]).limited(1, Some(2));
        assert!(verdict(&first, all(), ints(&[2, 3])).is_ok());
        assert!(verdict(&first, all(), ints(&[1, 2])).is_err());
        let rest = Rule::ordered_by(&[0]).limited(3, None);
        assert!(verdict(&rest, all(), ints(&[3])).is_ok());
        assert!(verdict(&Rule::default().limited(9, Some(1)), all(), ints(&[])).is_ok());
    }
}
