//! How a column of a Parquet file becomes that of its table, where the two differ in type.
//!
//! DataFusion casts, and moves a cast from a column to the literal that it is compared with: a time
//! in milliseconds that is less than one of half a millisecond more is then compared with a literal
//! that has lost the half, and statistics prune what should be found. So conversions that are not
//! one to one are expressions of our own, which nothing looks into; and what a declared type would
//! cut is an error.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewBuilder};
use datafusion::arrow::compute::kernels::cmp::not_distinct;
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type, Schema, SchemaRef};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapter, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use super::parquet::UUID_BYTES;

/// Makes an adapter for each file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adapting;

impl PhysicalExprAdapterFactory for Adapting {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let mut converted = HashMap::new();
        let fields = table.fields().iter().map(|field| match file.field_with_name(field.name()) {
            Ok(stored) if is_ours(stored.data_type(), field.data_type()) => {
                converted.insert(field.name().clone(), field.clone());
                Arc::new(stored.clone())
            }
            _ => field.clone(),
        });
        // DataFusion leaves alone what seems to be of one type
        let seeming = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let inner = DefaultPhysicalExprAdapter::new(seeming, file);
        Ok(Arc::new(Adapter { inner, converted }))
    }
}

#[derive(Debug)]
struct Adapter {
    inner: DefaultPhysicalExprAdapter,
    /// Columns of the table by their names.
    converted: HashMap<String, FieldRef>,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expression: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let expression = self.inner.rewrite(expression)?;
        if self.converted.is_empty() {
            return Ok(expression);
        }
        let convert = |e: Arc<dyn PhysicalExpr>| {
            let column = e.downcast_ref::<Column>();
            Ok(match column.and_then(|c| self.converted.get(c.name())) {
                Some(to) => {
                    Transformed::yes(Arc::new(Converted { column: e, to: to.clone() }) as _)
                }
                None => Transformed::no(e),
            })
        };
        expression.transform_up(convert).data()
    }
}

/// Whether a column is converted here and not by DataFusion.
fn is_ours(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::FixedSizeBinary(UUID_BYTES), to) => to.is_string(),
        (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => from != to,
        (from, to) if to.is_integer() => from.is_floating() || from.is_decimal(),
        (from, to) => match (scale(from), scale(to)) {
            (Some(from), Some(to)) => to < from,
            _ => false,
        },
    }
}

fn scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

/// A column of a file as its table has it.
#[derive(Debug, Clone)]
struct Converted {
    column: Arc<dyn PhysicalExpr>,
    to: FieldRef,
}

impl PartialEq for Converted {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.to == other.to
    }
}

impl Eq for Converted {}

impl Hash for Converted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.to.hash(state);
    }
}

impl fmt::Display for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.column, self.to.data_type())
    }
}

impl PhysicalExpr for Converted {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        Ok(self.to.is_nullable() || self.column.nullable(schema)?)
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(self.to.clone())
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(convert(&values, &self.to)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([column]) => Ok(Arc::new(Self { column, to: self.to.clone() })),
            Err(_) => exec_err!("{self} is made of one column"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn convert(values: &ArrayRef, to: &FieldRef) -> Result<ArrayRef> {
    let (from, to_type) = (values.data_type(), to.data_type());
    if let DataType::FixedSizeBinary(_) = from {
        return Ok(cast(&uuid_text(values), to_type)?);
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let converted = cast_with_options(values, to_type, &options)?;
    let cut = match from {
        _ if from.is_floating() => first_fraction(values)?,
        _ if to_type.is_integer() || to_type.is_temporal() => first_change(values, &converted)?,
        _ => None, // a decimal is rounded to the digits that are asked for
    };
    match cut {
        None => Ok(converted),
        Some(row) => exec_err!(
            "column {} holds {}, which would be cut as {to_type}: declare the column with a type that \
             holds it",
            to.name(),
            array_value_to_string(values, row)?
        ),
    }
}

/// The first number that is not whole.
fn first_fraction(values: &ArrayRef) -> Result<Option<usize>> {
    let values = cast(values, &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    Ok(values.iter().position(|v| v.is_some_and(|v| v.fract() != 0.0)))
}

/// The first value that does not come back as it was.
fn first_change(values: &ArrayRef, converted: &ArrayRef) -> Result<Option<usize>> {
    let back = cast(converted, values.data_type())?;
    let same = not_distinct(&back, values)?;
    Ok(same.values().iter().position(|same| !same))
}

/// The canonical text of UUIDs.
fn uuid_text(values: &ArrayRef) -> ArrayRef {
    let values = values.as_fixed_size_binary();
    let mut texts = StringViewBuilder::with_capacity(values.len());
    for value in values.iter() {
        texts.append_option(value.map(hyphenated));
    }
    Arc::new(texts.finish())
}

fn hyphenated(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Decimal128Array, Float64Array, TimestampNanosecondArray};
    use datafusion::arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn converted(values: &ArrayRef, to: DataType) -> Result<ArrayRef> {
        convert(values, &Arc::new(Field::new("c", to, true)))
    }

    #[test]
    fn what_would_be_cut_is_an_error_that_names_the_column_and_the_value() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let decimal = |v| {
            let values = Decimal128Array::from(vec![v]).with_precision_and_scale(5, 2);
            Arc::new(values.expect("a decimal")) as ArrayRef
        };
        for (whole, cut, to) in [
            (
                Arc::new(TimestampNanosecondArray::from(vec![None, Some(-2_000)])) as ArrayRef,
                Arc::new(TimestampNanosecondArray::from(vec![None, Some(2_001)])) as ArrayRef,
                micros,
            ),
            (
                Arc::new(Float64Array::from(vec![2.0, -0.0])) as _,
                Arc::new(Float64Array::from(vec![2.5])) as _,
                DataType::Int64,
            ),
            (decimal(200), decimal(250), DataType::Int32),
        ] {
            assert_eq!(converted(&whole, to.clone()).expect("whole").data_type(), &to);
            let error = converted(&cut, to).expect_err("cut").to_string();
            assert!(error.contains("column c holds"), "{error}");
        }
    }

    #[test]
    fn a_uuid_has_its_canonical_text() {
        let bytes: Vec<u8> = (0..16).map(|n| n * 17).collect();
        assert_eq!(hyphenated(&bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
