//! Times beside a literal of a finer unit, as in `ts < '2024-01-01 00:00:00.5'` of a column in whole
//! seconds.
//!
//! Types are coerced to the finer unit, and DataFusion 55.2 then moves the cast to the literal, which
//! loses its digits: that row of midnight is not less than midnight. So the comparison is made with
//! the unit of the column first, where it is the same.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::{has_expr, map_named};

/// The rule; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct FineTimes;

impl AnalyzerRule for FineTimes {
    fn name(&self) -> &'static str {
        "fine_times"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            if !has_expr(&plan, |e| {
                matches!(e, Expr::BinaryExpr(_) | Expr::Between(_) | Expr::InList(_))
            }) {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            map_named(plan, |expr| expr.transform_up(|e| Ok(rewrite(e, &schema))))
        });
        Ok(rewritten?.data)
    }
}

fn rewrite(e: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let rewritten = match &e {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            compare(left, *op, right, schema).or_else(|| compare(right, op.swap()?, left, schema))
        }
        Expr::Between(between) => is_between(between, schema),
        Expr::InList(list) => is_in_list(list, schema),
        _ => None,
    };
    rewritten.map_or_else(|| Transformed::no(e), Transformed::yes)
}

/// A column of times that a finer unit is cast to, and the literal in that unit.
struct Coarse<'a> {
    column: &'a Expr,
    unit: TimeUnit,
    /// The greatest time of the column's unit that is not after the literal.
    floor: i64,
    zone: Option<std::sync::Arc<str>>,
}

/// What is compared, if the literal lies between two times of the column's unit.
fn coarse<'a>(cast: &'a Expr, literal: &Expr, schema: &DFSchema) -> Option<Coarse<'a>> {
    let Expr::Cast(Cast { expr: column, field }) = cast else { return None };
    let DataType::Timestamp(fine, zone) = field.data_type() else { return None };
    let DataType::Timestamp(unit, own_zone) = column.get_type(schema).ok()? else { return None };
    if own_zone != *zone || value_of(column).is_some() {
        return None;
    }
    let value = value_of(literal)?.cast_to(field.data_type()).ok()?;
    let (ScalarValue::TimestampSecond(Some(value), _)
    | ScalarValue::TimestampMillisecond(Some(value), _)
    | ScalarValue::TimestampMicrosecond(Some(value), _)
    | ScalarValue::TimestampNanosecond(Some(value), _)) = value
    else {
        return None;
    };
    let ratio = per_second(*fine) / per_second(unit);
    let is_between = ratio > 1 && value.rem_euclid(ratio) != 0;
    is_between.then(|| Coarse { column, unit, floor: value.div_euclid(ratio), zone: own_zone })
}

impl Coarse<'_> {
    fn compare(&self, op: Operator) -> Option<Expr> {
        let floor = lit(match self.unit {
            TimeUnit::Second => ScalarValue::TimestampSecond(Some(self.floor), self.zone.clone()),
            TimeUnit::Millisecond => {
                ScalarValue::TimestampMillisecond(Some(self.floor), self.zone.clone())
            }
            _ => ScalarValue::TimestampMicrosecond(Some(self.floor), self.zone.clone()),
        });
        let column = self.column.clone();
        Some(match op {
            Operator::Lt | Operator::LtEq => column.lt_eq(floor),
            Operator::Gt | Operator::GtEq => column.gt(floor),
            Operator::Eq => never(column),
            Operator::NotEq => always(column),
            Operator::IsDistinctFrom => lit(true),
            Operator::IsNotDistinctFrom => lit(false),
            _ => return None,
        })
    }
}

/// False, or null where the column is.
fn never(column: Expr) -> Expr {
    column.is_null().and(lit(ScalarValue::Boolean(None)))
}

/// True, or null where the column is.
fn always(column: Expr) -> Expr {
    column.is_not_null().or(lit(ScalarValue::Boolean(None)))
}

fn compare(cast: &Expr, op: Operator, literal: &Expr, schema: &DFSchema) -> Option<Expr> {
    coarse(cast, literal, schema)?.compare(op)
}

fn is_between(between: &Between, schema: &DFSchema) -> Option<Expr> {
    let Between { expr, negated, low, high } = between;
    let (above, below) = match negated {
        false => (Operator::GtEq, Operator::LtEq),
        true => (Operator::Lt, Operator::Gt),
    };
    let (low_end, high_end) =
        (compare(expr, above, low, schema), compare(expr, below, high, schema));
    if low_end.is_none() && high_end.is_none() {
        return None;
    }
    let plain =
        |op, end: &Expr| Expr::BinaryExpr(BinaryExpr::new(expr.clone(), op, Box::new(end.clone())));
    let low_end = low_end.unwrap_or_else(|| plain(above, low));
    let high_end = high_end.unwrap_or_else(|| plain(below, high));
    Some(if *negated { low_end.or(high_end) } else { low_end.and(high_end) })
}

/// A time that lies between two of the column's is none of them.
fn is_in_list(list: &InList, schema: &DFSchema) -> Option<Expr> {
    let InList { expr, list, negated } = list;
    let may_be: Vec<_> =
        list.iter().filter(|item| coarse(expr, item, schema).is_none()).cloned().collect();
    let Expr::Cast(Cast { expr: column, .. }) = expr.as_ref() else { return None };
    match (may_be.len(), negated) {
        (left, _) if left == list.len() => None,
        (0, false) => Some(never(column.as_ref().clone())),
        (0, true) => Some(always(column.as_ref().clone())),
        _ => Some(Expr::InList(InList::new(expr.clone(), may_be, *negated))),
    }
}

/// The value of a literal, cast or not.
fn value_of(e: &Expr) -> Option<ScalarValue> {
    match e {
        Expr::Literal(value, _) if !value.is_null() => Some(value.clone()),
        Expr::Cast(Cast { expr, field }) => value_of(expr)?.cast_to(field.data_type()).ok(),
        _ => None,
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}
