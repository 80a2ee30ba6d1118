//! Times are compared with texts in microseconds: DataFusion would take both to nanoseconds, which
//! do not reach the year 9999.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

use super::{has_expr, map_named};

/// The rule casts a text that is compared with a time; it has to run before types are coerced.
#[derive(Debug)]
pub(super) struct TimesAndTexts;

impl AnalyzerRule for TimesAndTexts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            if !has_expr(&plan, |e| {
                matches!(e, Expr::BinaryExpr(_) | Expr::Between(_) | Expr::InList(_))
            }) {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            map_named(plan, |expr| expr.transform_up(|e| Ok(with_cast(e, &schema))))
        });
        plan.data()
    }

    fn name(&self) -> &'static str {
        "times_and_texts"
    }
}

fn with_cast(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let (of_left, of_right) =
                (as_time(&left, &right, schema), as_time(&right, &left, schema));
            let is_changed = of_left.is_some() || of_right.is_some();
            let left = of_left.map_or(left, Box::new);
            let right = of_right.map_or(right, Box::new);
            let compared = Expr::BinaryExpr(BinaryExpr { left, op, right });
            if is_changed { Transformed::yes(compared) } else { Transformed::no(compared) }
        }
        Expr::Between(mut between) => {
            let low = as_time(&between.low, &between.expr, schema);
            let high = as_time(&between.high, &between.expr, schema);
            let is_changed = low.is_some() && high.is_some();
            if let (Some(low), Some(high)) = (low, high) {
                (between.low, between.high) = (Box::new(low), Box::new(high));
            }
            let between = Expr::Between(between);
            if is_changed { Transformed::yes(between) } else { Transformed::no(between) }
        }
        other => Transformed::no(other),
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// A text as a time in microseconds, if it is compared with one of no more digits.
fn as_time(text: &Expr, other: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::Literal(
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)),
        _,
    ) = text
    else {
        return None;
    };
    let DataType::Timestamp(unit, zone) = other.get_type(schema).ok()? else { return None };
    let digits = value.split_once('.').map_or("", |(_, digits)| digits);
    let is_fine = digits.bytes().take_while(u8::is_ascii_digit).count() > 6;
    let fits = unit != TimeUnit::Nanosecond && !is_fine;
    fits.then(|| cast(text.clone(), DataType::Timestamp(TimeUnit::Microsecond, zone)))
}

#[cfg(test)]
mod tests {
    use crate::one_process;

    #[tokio::test]
    async fn times_are_compared_with_texts_of_any_year() {
        let context = one_process(Default::default()).expect("a session");
        let rows = "(SELECT arrow_cast(column1, 'Timestamp(Microsecond, None)') AS ts
            FROM (VALUES ('2024-01-02 03:04:05.5'), ('9999-12-30'))) AS t";
        for (condition, expected) in [
            ("ts < '9999-12-31'", 2),
            ("'9999-12-31' > ts", 2),
            ("ts = '2024-01-02 03:04:05.5'", 1),
            ("ts < '2024-01-02 03:04:05.500001'", 1),
            ("ts BETWEEN '2024-01-01' AND '9999-12-31'", 2),
            ("ts >= (SELECT max(ts) FROM t2 WHERE ts < '9999-12-31')", 1),
        ] {
            let sql = format!(
                "WITH t2 AS (SELECT * FROM {rows}) SELECT ts FROM {rows} WHERE {condition}"
            );
            let found = context.sql(&sql).await.expect(&sql).count().await.expect(&sql);
            assert_eq!(found, expected, "{condition}");
        }
    }
}
