//! Casts as PostgreSQL has them.
//!
//! - a fraction becomes the nearest whole number, where DataFusion 55.2 cuts it: of decimals halves go
//!   away from zero, of floats to the even one;
//! - a float becomes the decimal of the digits that it is sure of, and a decimal the nearest float;
//! - a time with a zone becomes the zone's clock when it loses the zone, where DataFusion keeps UTC's;
//! - a time becomes the nearest of fewer digits, and so does a number of seconds that becomes a time;
//! - a text becomes the time that it shows, whatever zone it names, where there is no place for a zone;
//! - a time as text has a space where DataFusion has a `T`, and an interval is as PostgreSQL writes it;
//! - `AT TIME ZONE` takes a zone off and puts it on.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, internal_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::functions::datetime::to_local_time;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, binary_expr, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::{
    decimal_of_float, float_of_decimal, has_expr, map_named, nearest_time, rounded_decimal,
    text_of_intervals, text_of_times, without_zone,
};

/// The zone of an instant whose zone nobody named.
const UTC: &str = "+00:00";

static NEAREST: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Nearest { signature }))
});

/// Puts the functions where statements and fragments find them.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    let signature = Signature::any(2, Volatility::Immutable);
    registry.register_udf(Arc::new(ScalarUDF::new_from_impl(AtTimeZone { signature })))?;
    registry.register_udf(NEAREST.clone())?;
    decimal_of_float::register(registry)?;
    float_of_decimal::register(registry)?;
    nearest_time::register(registry)?;
    registry.register_udf(rounded_decimal::function())?;
    registry.register_udf(without_zone::function())?;
    Ok(())
}

/// The rule; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct CastAsPostgres;

impl AnalyzerRule for CastAsPostgres {
    fn name(&self) -> &'static str {
        "cast_as_postgres"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewrite_node)?.data)
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !has_expr(&plan, |e| matches!(e, Expr::Cast(_) | Expr::ScalarFunction(_))) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    map_named(plan, |expr| {
        expr.transform_up(|e| match e {
            Expr::Cast(cast) => {
                let Ok(from) = cast.expr.get_type(&schema) else {
                    return Ok(Transformed::no(Expr::Cast(cast)));
                };
                rewrite_cast(cast, &from)
            }
            Expr::ScalarFunction(f) if f.name() == "to_timestamp" => to_timestamp(f, &schema),
            Expr::ScalarFunction(f) if f.func.inner().downcast_ref::<AtTimeZone>().is_some() => {
                let [time, zone] = take_function_args("at_time_zone", f.args)?;
                let from = time.get_type(&schema)?;
                Ok(Transformed::yes(at_time_zone(time, &from, &zone)?))
            }
            other => Ok(Transformed::no(other)),
        })
    })
}

fn rewrite_cast(e: Cast, from: &DataType) -> Result<Transformed<Expr>> {
    let to = e.field.data_type();
    let inner = match (e.expr.as_ref(), from) {
        // a number that is written is exact
        (Expr::Literal(ScalarValue::Float64(Some(n)), _), _) if to.is_integer() => lit(n.round()),
        (_, DataType::Float16 | DataType::Float32 | DataType::Float64) if to.is_integer() => {
            call(&NEAREST, *e.expr.clone())
        }
        (_, DataType::Float32 | DataType::Float64)
            if let DataType::Decimal128(precision, scale) = to =>
        {
            decimal_of_float::of(*e.expr.clone(), *precision, *scale)
        }
        (_, DataType::Decimal128(..)) if *to == DataType::Float64 => {
            float_of_decimal::of(*e.expr.clone())
        }
        (_, DataType::Decimal128(_, scale)) if digits_after_point(to) < *scale => {
            rounded_decimal::round(*e.expr.clone(), digits_after_point(to))
        }
        (_, DataType::Timestamp(..) | DataType::Time64(_) | DataType::Time32(_))
            if let Some(step) = nearest_time::step(from, to) =>
        {
            nearest_time::round(*e.expr.clone(), step)
        }
        (_, text) if text.is_string() && is_clock(to) => {
            let clock = without_zone::of(*e.expr.clone());
            match nearest_time::step(&FINE_CLOCK, to) {
                Some(step) => nearest_time::round(cast(clock, FINE_CLOCK), step),
                None => clock,
            }
        }
        (_, DataType::Interval(_)) if to.is_string() => {
            call(&text_of_intervals::function(), *e.expr.clone())
        }
        (_, DataType::Timestamp(..)) if to.is_string() => {
            call(&text_of_times::function(), *e.expr.clone())
        }
        (_, DataType::Timestamp(_, Some(zone))) if !is_utc(zone) && has_no_zone(to) => {
            call(&to_local_time(), *e.expr.clone())
        }
        _ => return Ok(Transformed::no(Expr::Cast(e))),
    };
    Ok(Transformed::yes(Expr::Cast(Cast { expr: Box::new(inner), ..e })))
}

/// A time without a zone, with digits to be rounded.
const FINE_CLOCK: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn is_clock(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, None))
}

/// Of a number of seconds, to the microsecond; DataFusion multiplies a float by 10⁹ and keeps the noise.
fn to_timestamp(mut f: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    const MICROSECONDS_PER_SECOND: f64 = 1e6;
    let is_of_float = f.args.len() == 1
        && matches!(f.args[0].get_type(schema), Ok(DataType::Float64 | DataType::Float32));
    if !is_of_float {
        return Ok(Transformed::no(Expr::ScalarFunction(f)));
    }
    let whole = Expr::ScalarFunction(f.clone()).get_type(schema)?;
    let seconds = cast(f.args.swap_remove(0), DataType::Float64);
    let count =
        call(&NEAREST, binary_expr(seconds, Operator::Multiply, lit(MICROSECONDS_PER_SECOND)));
    let time = cast(cast(count, DataType::Int64), FINE_CLOCK);
    Ok(Transformed::yes(cast(time, whole)))
}

/// How many a type keeps; of those that keep what there is, the most.
fn digits_after_point(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => *scale,
        other if other.is_integer() => 0,
        _ => i8::MAX,
    }
}

fn call(function: &Arc<ScalarUDF>, argument: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function.clone(), vec![argument]))
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, UTC | "UTC" | "Z" | "Etc/UTC")
}

fn has_no_zone(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Time32, Time64, Timestamp};
    matches!(data_type, Timestamp(_, None) | Date32 | Date64 | Time32(_) | Time64(_))
}

/// An instant becomes the clock of a zone, a clock becomes the instant when a zone shows it.
fn at_time_zone(time: Expr, from: &DataType, zone: &Expr) -> Result<Expr> {
    let Some(zone) = zone.as_literal().and_then(|z| z.try_as_str().flatten()) else {
        return plan_err!("the zone of AT TIME ZONE must be a text like 'Europe/Berlin'");
    };
    if zone.starts_with(['+', '-']) {
        return plan_err!(
            "AT TIME ZONE '{zone}' is east to some and west to others: name the zone, as in \
             'Europe/Berlin'"
        );
    }
    let zone: Arc<str> = zone.into();
    let at = |unit| DataType::Timestamp(unit, Some(zone.clone()));
    Ok(match from {
        DataType::Timestamp(unit, Some(_)) => call(&to_local_time(), cast(time, at(*unit))),
        DataType::Timestamp(unit, None) => {
            cast(cast(time, at(*unit)), DataType::Timestamp(*unit, Some(UTC.into())))
        }
        _ => {
            let unit = TimeUnit::Microsecond;
            let clock = cast(time, DataType::Timestamp(unit, None));
            cast(cast(clock, at(unit)), DataType::Timestamp(unit, Some(UTC.into())))
        }
    })
}

/// What `AT TIME ZONE` is until types are known.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    signature: Signature,
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &'static str {
        "at_time_zone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types.first() {
            Some(DataType::Timestamp(unit, Some(_))) => DataType::Timestamp(*unit, None),
            Some(DataType::Timestamp(unit, None)) => DataType::Timestamp(*unit, Some(UTC.into())),
            _ => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        })
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("AT TIME ZONE is replaced when a statement is planned")
    }
}

/// The nearest whole number of a float, of two the even one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Nearest {
    signature: Signature,
}

impl ScalarUDFImpl for Nearest {
    fn name(&self) -> &'static str {
        "nearest_integer"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        let value = value.cast_to(&DataType::Float64, None)?;
        Ok(match value {
            ColumnarValue::Scalar(ScalarValue::Float64(Some(x))) => {
                ColumnarValue::Scalar(ScalarValue::Float64(Some(x.round_ties_even())))
            }
            ColumnarValue::Array(array) => {
                use datafusion::arrow::array::AsArray;
                use datafusion::arrow::datatypes::Float64Type;
                let floats = array.as_primitive::<Float64Type>();
                let nearest = floats.unary::<_, Float64Type>(f64::round_ties_even);
                ColumnarValue::Array(Arc::new(nearest))
            }
            null @ ColumnarValue::Scalar(_) => null,
        })
    }
}
