//! Times of nanoseconds beside one that nanoseconds do not reach (1677 to 2262), as in
//! `ts < '9999-12-31'`: they are compared as microseconds, where DataFusion 55.2 has an error.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, LogicalPlan, cast, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::map_named;

/// The rule; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct FarTimes;

impl AnalyzerRule for FarTimes {
    fn name(&self) -> &'static str {
        "far_times"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            map_named(plan, |expr| expr.transform_up(|e| Ok(rewrite(e))))
        });
        Ok(rewritten?.data)
    }
}

fn rewrite(e: Expr) -> Transformed<Expr> {
    match e {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(far) = is_far(&left).or_else(|| is_far(&right)) else {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            };
            let [left, right] = [left, right].map(|e| in_microseconds(e, &far));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let Some(far) = is_far(&low).or_else(|| is_far(&high)) else {
                return Transformed::no(Expr::Between(Between { expr, negated, low, high }));
            };
            let [expr, low, high] = [expr, low, high].map(|e| in_microseconds(e, &far));
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        other => Transformed::no(other),
    }
}

/// The time in microseconds that an expression casts to nanoseconds, if those do not reach it.
fn is_far(e: &Expr) -> Option<ScalarValue> {
    let Expr::Cast(Cast { expr, field }) = e else { return None };
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = field.data_type() else { return None };
    let value = literal(expr)?;
    let nanoseconds = value.cast_to(field.data_type());
    let microseconds =
        value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone())).ok()?;
    let is_reached = nanoseconds.is_ok_and(|n| {
        // where the cast wraps instead of failing
        n.cast_to(&microseconds.data_type()).is_ok_and(|back| back == microseconds)
            || is_between_microseconds(&n, &microseconds)
    });
    (!is_reached).then_some(microseconds)
}

/// Whether a time lies within one microsecond.
fn is_between_microseconds(n: &ScalarValue, us: &ScalarValue) -> bool {
    match (n, us) {
        (
            ScalarValue::TimestampNanosecond(Some(n), _),
            ScalarValue::TimestampMicrosecond(Some(u), _),
        ) => n.div_euclid(1_000) == *u,
        _ => false,
    }
}

fn literal(e: &Expr) -> Option<ScalarValue> {
    match e {
        Expr::Literal(value, _) if !value.is_null() => Some(value.clone()),
        Expr::Cast(Cast { expr, field }) => literal(expr)?.cast_to(field.data_type()).ok(),
        _ => None,
    }
}

/// A time of the zone that `far` has.
fn in_microseconds(e: Box<Expr>, far: &ScalarValue) -> Box<Expr> {
    Box::new(match is_far(&e) {
        Some(far) => lit(far),
        None => cast(*e, far.data_type()),
    })
}
