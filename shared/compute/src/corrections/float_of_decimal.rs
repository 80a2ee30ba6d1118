//! A decimal as the nearest double. DataFusion 55.2 divides what it has rounded before where there are more than
//! 15 digits: 90.89999999999999 becomes 90.9.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, DecimalType};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(FloatOfDecimal { signature }))
});

/// Integers up to here are doubles, and so are powers of ten up to 10²².
const WHOLE_MAX: u128 = 1 << 53;
const POWER_MAX: i8 = 22;

/// Puts the function where fragments find it.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udf(FUNCTION.clone())?;
    Ok(())
}

/// The nearest double.
pub(super) fn of(value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(FUNCTION.clone(), vec![value]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FloatOfDecimal {
    signature: Signature,
}

impl ScalarUDFImpl for FloatOfDecimal {
    fn name(&self) -> &'static str {
        "float_of_decimal"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[0] {
            ColumnarValue::Array(values) => Ok(ColumnarValue::Array(floats(values)?)),
            ColumnarValue::Scalar(value) => {
                let floats = floats(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&floats, 0)?))
            }
        }
    }
}

fn floats(values: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = *values.data_type() else {
        return internal_err!("{} is no decimal of 128 bits", values.data_type());
    };
    let power = 10_f64.powi(scale.into());
    let is_exact = (0..=POWER_MAX).contains(&scale);
    let floats: Float64Array = values.as_primitive::<Decimal128Type>().unary(|unscaled| {
        if is_exact && unscaled.unsigned_abs() <= WHOLE_MAX {
            return unscaled as f64 / power;
        }
        let text = Decimal128Type::format_decimal(unscaled, precision, scale);
        text.parse().unwrap_or(f64::NAN)
    });
    Ok(Arc::new(floats))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::Decimal128Array;

    #[test]
    fn each_is_the_double_that_its_digits_are_read_as() {
        for (unscaled, scale) in [
            (9_089_999_999_999_999, 14),
            (-9_089_999_999_999_999, 14),
            (101, 2),
            (0, 5),
            (123_456_789_012_345_678_901_234_567_890, 20),
            (1, 38),
            (5, -2),
        ] {
            let decimals = Decimal128Array::from(vec![Some(unscaled), None]);
            let decimals = decimals.with_precision_and_scale(38, scale).expect("a decimal");
            let given = floats(&(Arc::new(decimals) as ArrayRef)).expect("floats");
            let given = given.as_primitive::<datafusion::arrow::datatypes::Float64Type>().clone();
            let expected: f64 = format!("{unscaled}e{}", -scale).parse().expect("a number");
            assert_eq!(given.value(0).to_bits(), expected.to_bits(), "{unscaled} {scale}");
            assert!(given.is_null(1));
        }
    }
}
