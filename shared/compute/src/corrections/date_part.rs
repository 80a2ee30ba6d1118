//! `date_part` and `EXTRACT`.
//!
//! - DataFusion 55.2 turns `EXTRACT(YEAR FROM ts) < 9999` into a comparison with null where the unit of
//!   `ts` does not reach that year ([#25140](https://github.com/apache/datafusion/issues/25140)): a year
//!   is turned into a range only if its bounds can be represented;
//! - it cuts the fraction of a second: here seconds and milliseconds have it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::compute::kernels::arity::try_binary;
use datafusion::arrow::compute::{DatePart, date_part as part_of};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Int32Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, internal_err};
use datafusion::functions::datetime::date_part;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::scalar::ScalarValue;

use super::difference_of_times::INTERVAL;

const NANOSECONDS_PER_MINUTE: i64 = 60 * 1_000_000_000;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udf(Arc::new(ScalarUDF::new_from_impl(PartOfTime { inner: date_part() })))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PartOfTime {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for PartOfTime {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let part = args.scalar_arguments.first().copied().flatten();
        let time = args.arg_fields.get(1).map(|f| f.data_type());
        match (part.and_then(Fraction::of), time) {
            (Some(fraction), Some(time)) if has_fraction(time) => {
                let is_nullable = args.arg_fields[1].is_nullable();
                Ok(Arc::new(Field::new(self.name(), fraction.data_type(time), is_nullable)))
            }
            _ => self.inner.return_field_from_args(args),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(_, scale) = *args.return_field.data_type() else {
            return self.inner.invoke_with_args(args);
        };
        let Some(ColumnarValue::Scalar(part)) = args.args.first() else {
            return internal_err!("a part of a time is a text");
        };
        let Some(fraction) = Fraction::of(part) else {
            return internal_err!("only seconds have a fraction");
        };
        let time = args.args[1].to_array(args.number_rows)?;
        let seconds = fraction.evaluate(&time, scale)?;
        Ok(ColumnarValue::Array(Arc::new(
            seconds.with_data_type(args.return_field.data_type().clone()),
        )))
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        let found = self.inner.preimage(args, literal, info)?;
        Ok(match &found {
            PreimageResult::Range { interval, .. } if interval.is_unbounded() => {
                PreimageResult::None
            }
            PreimageResult::Range { interval, .. }
                if interval.lower().is_null() || interval.upper().is_null() =>
            {
                PreimageResult::None
            }
            _ => found,
        })
    }
}

/// A part of a time that has a fraction.
#[derive(Debug, Clone, Copy)]
enum Fraction {
    Seconds,
    Milliseconds,
}

impl Fraction {
    fn of(part: &ScalarValue) -> Option<Self> {
        let name = part.try_as_str().flatten()?.trim_matches(['\'', '"', ' ']).to_lowercase();
        match name.as_str() {
            "s" | "sec" | "secs" | "second" | "seconds" => Some(Self::Seconds),
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => Some(Self::Milliseconds),
            _ => None,
        }
    }

    /// With as many digits as the time has, at least the six of PostgreSQL's.
    fn data_type(self, time: &DataType) -> DataType {
        let digits = if is_nanoseconds(time) { 9 } else { 6 };
        match self {
            Self::Seconds => DataType::Decimal128(2 + digits, digits as i8),
            Self::Milliseconds => DataType::Decimal128(2 + digits, digits as i8 - 3),
        }
    }

    fn evaluate(self, time: &ArrayRef, scale: i8) -> Result<Decimal128Array> {
        let digits = match self {
            Self::Seconds => scale,
            Self::Milliseconds => scale + 3,
        };
        let unit = 10_i64.pow(9 - u32::from(digits.unsigned_abs()));
        if let Some(intervals) = time.as_primitive_opt::<IntervalMonthDayNanoType>() {
            let value =
                |i: IntervalMonthDayNano| i128::from(i.nanoseconds % NANOSECONDS_PER_MINUTE / unit);
            return Ok(intervals.unary(value));
        }
        let seconds = part_of(time.as_ref(), DatePart::Second)?;
        let nanoseconds = part_of(time.as_ref(), DatePart::Nanosecond)?;
        let (seconds, nanoseconds) =
            (seconds.as_primitive::<Int32Type>(), nanoseconds.as_primitive::<Int32Type>());
        let value = |s: i32, n: i32| {
            // arrow counts the nanoseconds of a second, or of all of it
            let n = i64::from(n) % 1_000_000_000;
            Ok::<_, ArrowError>(i128::from((i64::from(s) * 1_000_000_000 + n) / unit))
        };
        Ok(try_binary(seconds, nanoseconds, value)?)
    }
}

fn has_fraction(time: &DataType) -> bool {
    matches!(time, DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_))
        || *time == INTERVAL
}

fn is_nanoseconds(time: &DataType) -> bool {
    use datafusion::arrow::datatypes::TimeUnit::Nanosecond;
    matches!(time, DataType::Timestamp(Nanosecond, _) | DataType::Time64(Nanosecond))
        || *time == INTERVAL
}
