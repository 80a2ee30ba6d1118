//! The nearest of the times that a type of fewer digits has; of two the one further from 1970.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::scalar::ScalarValue;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(NearestTime { signature }))
});

/// Puts the function where fragments find it.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udf(FUNCTION.clone())?;
    Ok(())
}

/// How many units of one type are one of the other, if the other has fewer digits.
pub(super) fn step(from: &DataType, to: &DataType) -> Option<i64> {
    let (from, to) = (per_second(from)?, per_second(to)?);
    (from > to).then(|| from / to)
}

fn per_second(of: &DataType) -> Option<i64> {
    let (DataType::Timestamp(unit, _) | DataType::Time64(unit) | DataType::Time32(unit)) = of
    else {
        return None;
    };
    Some(match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    })
}

/// The time, rounded to multiples of a step.
pub(super) fn round(time: Expr, step: i64) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![time, lit(step)]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NearestTime {
    signature: Signature,
}

impl ScalarUDFImpl for NearestTime {
    fn name(&self) -> &'static str {
        "nearest_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [time, _] = take_function_args(self.name(), types)?;
        Ok(time.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time, step] = take_function_args(self.name(), args.args)?;
        let ColumnarValue::Scalar(ScalarValue::Int64(Some(step))) = step else {
            return internal_err!("times are rounded to a number of units");
        };
        let time = time.to_array(args.number_rows)?;
        let units = compute::cast(&time, &DataType::Int64)?;
        let rounded = units.as_primitive::<Int64Type>().try_unary::<_, Int64Type, _>(|n| {
            nearest(n, step).ok_or_else(|| exec_datafusion_err!("a time is too far away"))
        })?;
        let narrow = match time.data_type() {
            DataType::Time32(_) => compute::cast(&rounded, &DataType::Int32)?,
            _ => Arc::new(rounded),
        };
        Ok(ColumnarValue::Array(compute::cast(&narrow, time.data_type())?))
    }
}

fn nearest(n: i64, step: i64) -> Option<i64> {
    let half = step / 2;
    let away = if n < 0 { n.checked_sub(half)? } else { n.checked_add(half)? };
    Some(away / step * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero() {
        let of = [1499, 1500, -1499, -1500, i64::MAX].map(|n| nearest(n, 1000));
        assert_eq!(of, [Some(1000), Some(2000), Some(-1000), Some(-2000), None]);
    }
}
