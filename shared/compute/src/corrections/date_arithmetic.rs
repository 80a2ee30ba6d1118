//! What is done with dates, times and intervals before types are coerced: a date plus an interval with hours
//! is a time, where DataFusion 55.2 cuts it to the day; the difference of two dates is a number of days, of
//! two times an interval; intervals have an average and are compared with texts.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, WindowFunctionDefinition, cast,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::compare_canonical::compares;
use super::difference_of_times::{INTERVAL, difference};
use super::{average_interval, has_expr, map_named};

/// The rule; it has to run before types are coerced, because it changes them.
#[derive(Debug)]
pub(super) struct DateArithmetic;

impl AnalyzerRule for DateArithmetic {
    fn name(&self) -> &'static str {
        "date_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(rewrite_node)?.data)
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let may_change = |e: &Expr| match e {
        Expr::BinaryExpr(e) => matches!(e.op, Operator::Plus | Operator::Minus) || compares(e.op),
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::Between(_) => true,
        Expr::ScalarFunction(f) => f.name() == "coalesce",
        _ => false,
    };
    if !has_expr(&plan, may_change) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    map_named(plan, |expr| expr.transform_up(|e| rewrite(e, &schema)))
}

fn rewrite(e: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (left, op, right) = match e {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Operator::Plus | Operator::Minus) =>
        {
            (left, op, right)
        }
        Expr::BinaryExpr(e) if compares(e.op) => return compared(e, schema),
        Expr::Between(e) => return between(e, schema),
        Expr::ScalarFunction(f) if f.name() == "coalesce" => return Ok(coalesced(f, schema)),
        other => return average(other, schema),
    };
    let has_hours = |e: &Expr| {
        let is_interval = e.get_type(schema).is_ok_and(|t| matches!(t, DataType::Interval(_)));
        is_interval && !is_whole_days(e)
    };
    let is_date = |e: &Expr| is_date(e, schema);
    let time =
        |date: Box<Expr>| Box::new(cast(*date, DataType::Timestamp(TimeUnit::Microsecond, None)));
    if op == Operator::Minus && is_time(&right, schema) && is_time(&left, schema) {
        return difference(left, right, schema).map(Transformed::yes);
    }
    if op == Operator::Minus && is_date(&right) && is_time(&left, schema) {
        return difference(left, time(right), schema).map(Transformed::yes);
    }
    if op == Operator::Minus && is_date(&left) && is_time(&right, schema) {
        return difference(time(left), right, schema).map(Transformed::yes);
    }
    if op == Operator::Minus && is_date(&left) && is_date(&right) {
        let days = |date: Box<Expr>| Box::new(cast(cast(*date, DataType::Int32), DataType::Int64));
        let (left, right) = (days(left), days(right));
        return Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })));
    }
    // the right side first: chains of operators are long on their left
    Ok(if has_hours(&right) && is_date(&left) {
        Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: time(left), op, right }))
    } else if op == Operator::Plus && is_date(&right) && has_hours(&left) {
        Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right: time(right) }))
    } else {
        Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))
    })
}

/// A text beside an interval is one, and times of day take the finest unit.
fn compared(mut e: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(common) = common_type(&e.left, &e.right, schema) else {
        return Ok(Transformed::no(Expr::BinaryExpr(e)));
    };
    e.left = Box::new(cast(*e.left, common.clone()));
    e.right = Box::new(cast(*e.right, common));
    Ok(Transformed::yes(Expr::BinaryExpr(e)))
}

fn between(mut e: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let bounds = [&e.low, &e.high].map(|bound| common_type(&e.expr, bound, schema));
    let Some(common) = bounds.into_iter().flatten().next() else {
        return Ok(Transformed::no(Expr::Between(e)));
    };
    e.expr = Box::new(cast(*e.expr, common.clone()));
    e.low = Box::new(cast(*e.low, common.clone()));
    e.high = Box::new(cast(*e.high, common));
    Ok(Transformed::yes(Expr::Between(e)))
}

/// `coalesce(d, '2024-01-01')`: a text that is written beside a date or a time is one.
fn coalesced(mut f: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    use DataType::{Date32, Date64, Time32, Time64, Timestamp};
    let is_text = |e: &Expr| e.as_literal().is_some_and(|v| v.try_as_str().is_some());
    let is_time =
        |t: &DataType| matches!(t, Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..));
    let mut types = f.args.iter().filter(|e| !is_text(e)).map(|e| e.get_type(schema));
    let Some(Ok(time)) = types.next().filter(|t| t.as_ref().is_ok_and(is_time)) else {
        return Transformed::no(Expr::ScalarFunction(f));
    };
    let mut is_changed = false;
    for text in f.args.iter_mut().filter(|e| is_text(e)) {
        *text = cast(std::mem::take(text), time.clone());
        is_changed = true;
    }
    Transformed::new_transformed(Expr::ScalarFunction(f), is_changed)
}

/// Where DataFusion knows none.
fn common_type(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<DataType> {
    use DataType::{Interval, Time32, Time64};
    let is_text = |e: &Expr| e.as_literal().is_some_and(|v| v.try_as_str().is_some());
    match (left.get_type(schema).ok()?, right.get_type(schema).ok()?) {
        (Interval(_), _) if is_text(right) => Some(INTERVAL),
        (_, Interval(_)) if is_text(left) => Some(INTERVAL),
        (a @ (Time32(_) | Time64(_)), b @ (Time32(_) | Time64(_))) if a != b => {
            Some(Time64(TimeUnit::Nanosecond))
        }
        _ => None,
    }
}

/// The average of intervals is ours.
fn average(e: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_of_intervals = |name: &str, args: &[Expr]| {
        name == "avg"
            && matches!(args, [of] if of.get_type(schema).is_ok_and(|t| matches!(t, DataType::Interval(_))))
    };
    Ok(match e {
        Expr::AggregateFunction(mut e) if is_of_intervals(e.func.name(), &e.params.args) => {
            e.func = average_interval::function();
            Transformed::yes(Expr::AggregateFunction(e))
        }
        Expr::WindowFunction(mut e) if is_of_intervals(e.fun.name(), &e.params.args) => {
            e.fun = WindowFunctionDefinition::AggregateUDF(average_interval::function());
            Transformed::yes(Expr::WindowFunction(e))
        }
        other => Transformed::no(other),
    })
}

fn is_date(e: &Expr, schema: &DFSchema) -> bool {
    e.get_type(schema).is_ok_and(|t| matches!(t, DataType::Date32 | DataType::Date64))
}

fn is_time(e: &Expr, schema: &DFSchema) -> bool {
    e.get_type(schema).is_ok_and(|t| matches!(t, DataType::Timestamp(..)))
}

fn is_whole_days(interval: &Expr) -> bool {
    match interval {
        Expr::Literal(ScalarValue::IntervalYearMonth(_), _) => true,
        Expr::Literal(ScalarValue::IntervalDayTime(Some(i)), _) => i.milliseconds == 0,
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(i)), _) => i.nanoseconds == 0,
        Expr::Negative(inner) => is_whole_days(inner),
        Expr::ScalarFunction(f) if f.name() == "multiply_interval" => {
            // a whole multiple of whole days
            f.args.first().is_some_and(is_whole_days)
                && matches!(f.args.get(1), Some(Expr::Literal(ScalarValue::Int64(_), _)))
        }
        _ => false,
    }
}
