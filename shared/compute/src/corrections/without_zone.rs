//! A text with a zone that becomes a time without one shows its own clock: `2024-01-02 03:04:05+02` is four minutes
//! past three. DataFusion 55.2 takes it to UTC first.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, StringArray};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(WithoutZone { signature }))
});

/// The function, for a registry.
pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

/// The text without its zone.
pub(super) fn of(text: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function(), vec![text]))
}

/// Where the zone of a time begins: `2024-01-02 03:04:05+02:00`.
fn zone_of(time: &str) -> Option<usize> {
    let clock = time.find(':')?;
    let zone = time[clock..].find(['+', '-', 'Z', 'z'])?;
    Some(clock + zone)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WithoutZone {
    signature: Signature,
}

impl ScalarUDFImpl for WithoutZone {
    fn name(&self) -> &'static str {
        "without_zone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = take_function_args(self.name(), args.args)?;
        let texts = compute::cast(&text.to_array(args.number_rows)?, &DataType::Utf8)?;
        let clocks = texts.as_string::<i32>().iter().map(|text| text.map(clock));
        Ok(ColumnarValue::Array(Arc::new(clocks.collect::<StringArray>())))
    }
}

fn clock(time: &str) -> &str {
    match zone_of(time) {
        Some(zone) => time[..zone].trim_end(),
        None => time,
    }
}
