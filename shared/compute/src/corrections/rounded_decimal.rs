//! Decimals of fewer digits after the point, as a function of its own: a cast would be undone by
//! DataFusion where its value is compared (`CAST(1.25 AS INT) = 1` would be asked as `1.25 = 1.00`).

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::scalar::ScalarValue;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(RoundedDecimal { signature }))
});

/// The function, for a registry.
pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

/// A decimal with so many digits after its point, halves away from zero.
pub(super) fn round(value: Expr, scale: i8) -> Expr {
    let args = vec![value, lit(i64::from(scale))];
    Expr::ScalarFunction(ScalarFunction::new_udf(function(), args))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RoundedDecimal {
    signature: Signature,
}

impl ScalarUDFImpl for RoundedDecimal {
    fn name(&self) -> &'static str {
        "rounded_decimal"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of a rounded decimal follows from its scale")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let scale = args.scalar_arguments.get(1).copied().flatten();
        let (DataType::Decimal128(precision, from), Some(ScalarValue::Int64(Some(to)))) =
            (args.arg_fields[0].data_type(), scale)
        else {
            return internal_err!("only decimals are rounded");
        };
        let to = i8::try_from(*to).unwrap_or(*from);
        // 9.99 becomes 10.0
        let precision = precision.saturating_sub((from - to).unsigned_abs()).max(1) + 1;
        let data_type = DataType::Decimal128(precision.min(38), to);
        Ok(Arc::new(Field::new(self.name(), data_type, args.arg_fields[0].is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, _] = take_function_args(self.name(), args.args)?;
        value.cast_to(args.return_field.data_type(), None)
    }
}
