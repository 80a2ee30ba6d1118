//! A date plus an interval with hours is a time; DataFusion 55.2 cuts it to the day. The difference of two
//! times is an interval; there it is a number of whatever unit the times had.

use datafusion::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::{has_expr, with_new_schema};

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
    let may_change = |e: &Expr| matches!(e, Expr::BinaryExpr(e) if matches!(e.op, Operator::Plus | Operator::Minus));
    if !has_expr(&plan, may_change) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    with_new_schema(plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|e| rewrite(e, &schema))?;
        Ok(rewritten.update_data(|e| name.restore(e)))
    })?)
}

fn rewrite(e: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus), right }) =
        e
    else {
        return Ok(Transformed::no(e));
    };
    let is_date = |e: &Expr| {
        e.get_type(schema).is_ok_and(|t| matches!(t, DataType::Date32 | DataType::Date64))
    };
    let has_hours = |e: &Expr| {
        let is_interval = e.get_type(schema).is_ok_and(|t| matches!(t, DataType::Interval(_)));
        is_interval && !is_whole_days(e)
    };
    let time =
        |date: Box<Expr>| Box::new(cast(*date, DataType::Timestamp(TimeUnit::Microsecond, None)));
    if op == Operator::Minus && is_time(&right, schema) && is_time(&left, schema) {
        let difference = Expr::BinaryExpr(BinaryExpr { left, op, right });
        return Ok(Transformed::yes(cast(difference, INTERVAL)));
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

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

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
