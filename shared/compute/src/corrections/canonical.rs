//! One form for values that are equal: `-0.0` becomes `0.0`, all NaN become one that is greater than every
//! number, and `1 month` and `720 hours` become `30 days`.
//!
//! Arrow compares floats by their bits (IEEE 754 `totalOrder`): it tells `-0.0` from `0.0`, and NaN of
//! one sign from NaN of the other, which SQL does not. It compares intervals by their months first, where
//! SQL takes a month for 30 days and a day for 24 hours. Over canonical values that order and its equality
//! are SQL's, whoever compares: hashes, sorts, filters.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, OffsetSizeTrait, StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float32Type, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit,
};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub(super) const NANOSECONDS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000_000;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function_of(Use::Compared));
static VALUE_FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| function_of(Use::GivenBack));

fn function_of(kind: Use) -> Arc<ScalarUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Canonical { kind, signature }))
}

/// The function, for a registry.
pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

/// The other function, for a registry.
pub(super) fn value_function() -> Arc<ScalarUDF> {
    VALUE_FUNCTION.clone()
}

/// The canonical form of what is not only compared, but given back: of equal intervals only one form can be,
/// so there has to be no other.
pub(super) fn canonical_value(value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(value_function(), vec![value]))
}

/// The canonical form of a value.
pub(super) fn canonical(value: Expr) -> Expr {
    match value {
        Expr::ScalarFunction(f) if f.func == *FUNCTION => Expr::ScalarFunction(f),
        value => Expr::ScalarFunction(ScalarFunction::new_udf(function(), vec![value])),
    }
}

/// Whether equal values of a type, or in one, may have several forms.
pub(super) fn has_forms(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => true,
        DataType::Interval(IntervalUnit::MonthDayNano) => true,
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            has_forms(f.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|f| has_forms(f.data_type())),
        _ => false,
    }
}

/// What becomes of a canonical value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    Compared,
    /// An interval, in the form that it came in.
    GivenBack,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Canonical {
    kind: Use,
    signature: Signature,
}

impl ScalarUDFImpl for Canonical {
    fn name(&self) -> &'static str {
        match self.kind {
            Use::Compared => "canonical",
            Use::GivenBack => "canonical_interval",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [data_type] = take_function_args(self.name(), types)?;
        Ok(data_type.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        if self.kind == Use::GivenBack {
            check_forms(&value.to_array(args.number_rows)?)?;
            return Ok(value);
        }
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(canonical_array(&array)?),
            ColumnarValue::Scalar(scalar) => {
                let array = canonical_array(&scalar.to_array()?)?;
                ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&array, 0)?)
            }
        })
    }
}

/// # Errors
/// An interval has other forms.
fn check_forms(intervals: &ArrayRef) -> Result<()> {
    for interval in intervals.as_primitive::<IntervalMonthDayNanoType>().iter().flatten() {
        if of_days(interval)? != interval {
            return exec_err!(
                "intervals of months, or of 24 hours and more, equal others that look otherwise, so \
                 they are not grouped, and have no DISTINCT, min, max, greatest and least: take \
                 EXTRACT(EPOCH FROM …) of them"
            );
        }
    }
    Ok(())
}

fn canonical_array(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float16 => {
            let wide = canonical_array(&cast(array, &DataType::Float32)?)?;
            cast(&wide, &DataType::Float16)?
        }
        DataType::Float32 => {
            let floats = array.as_primitive::<Float32Type>();
            Arc::new(
                floats.unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x + 0.0 }),
            )
        }
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            Arc::new(
                floats.unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x + 0.0 }),
            )
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
            Arc::new(intervals.try_unary::<_, IntervalMonthDayNanoType, DataFusionError>(of_days)?)
        }
        DataType::Struct(fields) if has_forms(array.data_type()) => {
            let columns = array.as_struct();
            let inner = columns.columns().iter().map(canonical_array).collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(fields.clone(), inner, columns.nulls().cloned())?)
        }
        DataType::List(_) if has_forms(array.data_type()) => canonical_list::<i32>(array)?,
        DataType::LargeList(_) if has_forms(array.data_type()) => canonical_list::<i64>(array)?,
        DataType::FixedSizeList(field, size) if has_forms(field.data_type()) => {
            let list = array.as_fixed_size_list();
            let (values, nulls) = (canonical_array(list.values())?, list.nulls().cloned());
            Arc::new(FixedSizeListArray::try_new(field.clone(), *size, values, nulls)?)
        }
        _ => array.clone(),
    })
}

/// Days and less than one of time, of the same sign.
fn of_days(interval: IntervalMonthDayNano) -> Result<IntervalMonthDayNano> {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    let total = days * i128::from(NANOSECONDS_PER_DAY) + i128::from(interval.nanoseconds);
    let day = i128::from(NANOSECONDS_PER_DAY);
    match (i32::try_from(total / day), i64::try_from(total % day)) {
        (Ok(days), Ok(rest)) => Ok(IntervalMonthDayNano::new(0, days, rest)),
        _ => exec_err!("an interval of {} days is too long to be compared", total / day),
    }
}

fn canonical_list<O: OffsetSizeTrait>(array: &ArrayRef) -> Result<ArrayRef> {
    let (field, offsets, values, nulls) = array.as_list::<O>().clone().into_parts();
    let values = canonical_array(&values)?;
    Ok(Arc::new(GenericListArray::<O>::try_new(field, offsets, values, nulls)?))
}
