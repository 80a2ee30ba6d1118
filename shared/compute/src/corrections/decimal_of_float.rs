//! A float as a decimal: by the digits that it is sure of, 15 of a double and 6 of a real, as PostgreSQL has it
//! (`float8_numeric`, `float4_numeric`). DataFusion 55.2 multiplies and rounds, so 1.005 becomes 1.00 with two
//! digits after the point.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::scalar::ScalarValue;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(3, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(DecimalOfFloat { signature }))
});

/// Puts the function where fragments find it.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udf(FUNCTION.clone())?;
    Ok(())
}

/// The decimal of a type that is nearest.
pub(super) fn of(value: Expr, precision: u8, scale: i8) -> Expr {
    let args = vec![value, lit(i64::from(precision)), lit(i64::from(scale))];
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), args))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DecimalOfFloat {
    signature: Signature,
}

impl ScalarUDFImpl for DecimalOfFloat {
    fn name(&self) -> &'static str {
        "decimal_of_float"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of a decimal follows from its digits")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let digits = |n: usize| match args.scalar_arguments.get(n).copied().flatten() {
            Some(ScalarValue::Int64(Some(digits))) => i8::try_from(*digits).ok(),
            _ => None,
        };
        let (Some(precision), Some(scale)) = (digits(1), digits(2)) else {
            return internal_err!("the digits of a decimal are literals");
        };
        let data_type = DataType::Decimal128(precision.unsigned_abs(), scale);
        Ok(Arc::new(Field::new(self.name(), data_type, args.arg_fields[0].is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(precision, scale) = *args.return_field.data_type() else {
            return internal_err!("a float becomes a decimal");
        };
        let to = Digits { precision, scale };
        match &args.args[0] {
            ColumnarValue::Array(values) => Ok(ColumnarValue::Array(to.array(values)?)),
            ColumnarValue::Scalar(value) => {
                let decimals = to.array(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&decimals, 0)?))
            }
        }
    }
}

/// Those of a decimal.
#[derive(Clone, Copy)]
struct Digits {
    precision: u8,
    scale: i8,
}

impl Digits {
    fn array(self, values: &ArrayRef) -> Result<ArrayRef> {
        let decimals: Decimal128Array = match values.data_type() {
            DataType::Float64 => values.as_primitive::<Float64Type>().try_unary(|value| {
                self.quickly(value).map_or_else(|| self.exactly(value, 14), Ok)
            })?,
            DataType::Float32 => values
                .as_primitive::<Float32Type>()
                .try_unary(|value| self.exactly(f64::from(value), 5))?,
            other => return internal_err!("{other} is no float"),
        };
        Ok(Arc::new(decimals.with_precision_and_scale(self.precision, self.scale)?))
    }

    /// Where multiplying is sure to give the same: few digits, and not about halfway between two.
    fn quickly(self, value: f64) -> Option<i128> {
        let scaled = value * 10_f64.powi(self.scale.into());
        let is_sure = scaled.abs() < 1e11 && (scaled.fract().abs() - 0.5).abs() > 1e-4;
        let fits = scaled.abs() + 1.0 < 10_f64.powi(self.precision.into());
        (is_sure && fits).then(|| scaled.round() as i128)
    }

    /// By as many digits as there are after the first.
    fn exactly(self, value: f64, after_first: usize) -> Result<i128> {
        let text = format!("{value:.after_first$e}");
        let overflow =
            || exec_err!("{value} does not fit decimal({}, {})", self.precision, self.scale);
        let Some((digits, exponent)) = text.split_once('e') else { return overflow() };
        let (Ok(exponent), Ok(digits)) =
            (exponent.parse::<i32>(), digits.replace('.', "").parse::<i128>())
        else {
            return overflow();
        };
        // the unscaled value is digits × 10^shift
        let after_first = i32::try_from(after_first).unwrap_or(0);
        let shift = exponent - after_first + i32::from(self.scale);
        let power = |n: i32| 10_i128.checked_pow(n.unsigned_abs());
        let unscaled = if shift >= 0 {
            power(shift).and_then(|factor| digits.checked_mul(factor))
        } else {
            // halves go away from zero; beyond the digits that there are, nothing is left
            Some(power(shift).map_or(0, |divisor| {
                let half = divisor / 2 * digits.signum();
                (digits + half) / divisor
            }))
        };
        let limit = power(i32::from(self.precision)).unwrap_or(i128::MAX);
        match unscaled.filter(|unscaled| unscaled.abs() < limit) {
            Some(unscaled) => Ok(unscaled),
            None => overflow(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ways_agree_and_halves_go_away_from_zero() {
        let to = Digits { precision: 38, scale: 2 };
        for (value, expected) in [
            (1.005, 101),
            (-1.005, -101),
            (2.675, 268),
            (0.1 + 0.2, 30),
            (1e20, 10_i128.pow(22)),
            (123_456_789.125, 12_345_678_913),
            (0.0, 0),
            (-0.0, 0),
            (4.9e-324, 0),
        ] {
            assert_eq!(to.exactly(value, 14).expect("fits"), expected, "{value}");
            assert!(to.quickly(value).is_none_or(|quick| quick == expected), "{value}");
        }
        for n in 0..100_000 {
            let value = f64::from(n) * 0.001 - 17.0;
            let exact = to.exactly(value, 14).expect("fits");
            assert!(to.quickly(value).is_none_or(|quick| quick == exact), "{value}");
        }
        for value in [f64::NAN, f64::INFINITY, 1e40] {
            to.exactly(value, 14).expect_err("no such decimal");
        }
        let narrow = Digits { precision: 3, scale: 2 };
        assert!(narrow.exactly(9.994, 14).is_ok() && narrow.exactly(9.995, 14).is_err());
        assert_eq!(narrow.quickly(9.996), None);
    }
}
