//! `n * INTERVAL '1 day'`, which DataFusion 55.2 does not know.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const DAYS_OF_A_MONTH: f64 = 30.0;
const NANOSECONDS_OF_A_DAY: f64 = 86_400e9;

/// Puts the function where statements and fragments find it.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    let signature = Signature::user_defined(Volatility::Immutable);
    registry.register_udf(Arc::new(ScalarUDF::new_from_impl(MultiplyInterval { signature })))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MultiplyInterval {
    signature: Signature,
}

impl ScalarUDFImpl for MultiplyInterval {
    fn name(&self) -> &'static str {
        "multiply_interval"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [interval, factor] = take_function_args(self.name(), types)?;
        if !matches!(interval, DataType::Interval(_)) || !(factor.is_numeric() || factor.is_null())
        {
            return plan_err!("an interval is multiplied by a number, not by {factor}");
        }
        let whole = factor.is_integer() && *factor != DataType::UInt64;
        Ok(vec![INTERVAL, if whole { DataType::Int64 } else { DataType::Float64 }])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [interval, factor] = take_function_args(self.name(), args.args)?;
        let (interval, factor) = (interval.into_array(rows)?, factor.into_array(rows)?);
        let intervals = interval.as_primitive::<IntervalMonthDayNanoType>();
        let product = |row: usize| {
            if intervals.is_null(row) || factor.is_null(row) {
                return Ok(None);
            }
            let interval = intervals.value(row);
            let product = match factor.as_primitive_opt::<Int64Type>() {
                Some(factors) => times(interval, factors.value(row)),
                None => times_fraction(interval, factor.as_primitive::<Float64Type>().value(row)),
            };
            let overflows = || exec_datafusion_err!("a multiple of an interval overflows");
            product.map(Some).ok_or_else(overflows)
        };
        let products = (0..rows).map(product).collect::<Result<Vec<_>>>()?;
        let products: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(products));
        Ok(ColumnarValue::Array(products))
    }
}

fn times(interval: IntervalMonthDayNano, factor: i64) -> Option<IntervalMonthDayNano> {
    let small = |n: i32| i32::try_from(i64::from(n).checked_mul(factor)?).ok();
    Some(IntervalMonthDayNano {
        months: small(interval.months)?,
        days: small(interval.days)?,
        nanoseconds: interval.nanoseconds.checked_mul(factor)?,
    })
}

/// Fractions of months become days and fractions of days time, as PostgreSQL's `interval_mul` has it.
fn times_fraction(interval: IntervalMonthDayNano, factor: f64) -> Option<IntervalMonthDayNano> {
    let whole = |x: f64| (x.is_finite() && x.abs() < 2e9).then(|| x.trunc() as i32);
    let months = f64::from(interval.months) * factor;
    let days = f64::from(interval.days) * factor;
    // to the microsecond, or 0.1 of ten months would leave a little of a day
    let micro = |days: f64| (days * 86_400e6).round() / 86_400e6;
    let of_months = micro(months.fract() * DAYS_OF_A_MONTH);
    let rest = micro(days.fract() + of_months.fract());
    let nanoseconds = interval.nanoseconds as f64 * factor + rest * NANOSECONDS_OF_A_DAY;
    Some(IntervalMonthDayNano {
        months: whole(months)?,
        days: whole(days)?.checked_add(whole(of_months)?)?,
        nanoseconds: (nanoseconds.abs() < 9.2e18).then(|| nanoseconds.round() as i64)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_go_down_to_days_and_time() {
        let of = |months, days, nanoseconds| IntervalMonthDayNano { months, days, nanoseconds };
        assert_eq!(times(of(1, 2, 3), -2), Some(of(-2, -4, -6)));
        assert_eq!(times(of(i32::MAX, 0, 0), 2), None);
        assert_eq!(times_fraction(of(1, 0, 0), 1.5), Some(of(1, 15, 0)));
        assert_eq!(times_fraction(of(0, 1, 0), 0.5), Some(of(0, 0, 43_200_000_000_000)));
    }
}
