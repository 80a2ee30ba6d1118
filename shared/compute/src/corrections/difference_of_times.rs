//! The difference of two times is an interval of days and hours. In DataFusion 55.2 it is a number of
//! whatever unit the times had.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{
    DataType, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit,
};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, exec_err, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, cast,
};

/// What a difference of times is.
pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

static DAYS_AND_HOURS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(DaysAndHours { signature }))
});

/// Puts the function where fragments find it.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udf(DAYS_AND_HOURS.clone())?;
    Ok(())
}

/// A duration as an interval of days and less than one, of the same sign.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DaysAndHours {
    signature: Signature,
}

impl ScalarUDFImpl for DaysAndHours {
    fn name(&self) -> &'static str {
        "days_and_hours"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [duration] = take_function_args(self.name(), args.args)?;
        let duration = duration.to_array(args.number_rows)?;
        let per_second = match duration.data_type() {
            DataType::Duration(TimeUnit::Second) => 1,
            DataType::Duration(TimeUnit::Millisecond) => 1_000,
            DataType::Duration(TimeUnit::Microsecond) => 1_000_000,
            DataType::Duration(TimeUnit::Nanosecond) => 1_000_000_000,
            other => return internal_err!("{other} is no duration"),
        };
        let per_day = per_second * SECONDS_PER_DAY;
        let counts = compute::cast(&duration, &DataType::Int64)?;
        let intervals = counts.as_primitive::<Int64Type>().try_unary(|n| {
            let Ok(days) = i32::try_from(n / per_day) else {
                return exec_err!("a difference of {} days is too long", n / per_day);
            };
            let rest = n % per_day * (NANOSECONDS_PER_SECOND / per_second);
            Ok(IntervalMonthDayNano::new(0, days, rest))
        });
        let intervals: IntervalMonthDayNanoArray = intervals?;
        Ok(ColumnarValue::Array(Arc::new(intervals)))
    }
}

/// One time minus another.
pub(super) fn difference(left: Box<Expr>, right: Box<Expr>, schema: &DFSchema) -> Result<Expr> {
    let left = as_fine_as(left, &right, schema);
    let right = as_fine_as(right, &left, schema);
    let duration = Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right });
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(DAYS_AND_HOURS.clone(), vec![duration])))
}

/// A time that is written has nanoseconds, and takes its neighbour there, if it may be far away or not: it
/// needs no more digits than it has.
fn as_fine_as(time: Box<Expr>, other: &Expr, schema: &DFSchema) -> Box<Expr> {
    const COARSE: [TimeUnit; 3] = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond];
    let is_coarse = |t| matches!(t, DataType::Timestamp(unit, _) if COARSE.contains(&unit));
    let Expr::Cast(written) = time.as_ref() else { return time };
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = written.field.data_type() else {
        return time;
    };
    let text = written.expr.as_literal().and_then(|value| value.try_as_str().flatten());
    let is_short = |text: &str| {
        text.find('.')
            .is_none_or(|at| text[at + 1..].bytes().take_while(u8::is_ascii_digit).count() <= 6)
    };
    if !text.is_some_and(is_short) || !other.get_type(schema).is_ok_and(is_coarse) {
        return time;
    }
    let fine = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    Box::new(cast(*written.expr.clone(), fine))
}
