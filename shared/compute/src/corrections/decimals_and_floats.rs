//! Decimals beside floats, as PostgreSQL has them: a number that is written beside a decimal is a decimal,
//! and a decimal beside a float is a float. DataFusion 55.2 makes doubles of the first, which lose digits,
//! and `decimal(30, 15)` of the second, which have neither NaN nor room.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use super::{has_expr, map_named, rounded_decimal};

/// The rule; it has to run before types are coerced, because it changes them.
#[derive(Debug)]
pub(super) struct DecimalsAndFloats;

impl AnalyzerRule for DecimalsAndFloats {
    fn name(&self) -> &'static str {
        "decimals_and_floats"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let may_change = |e: &Expr| match e {
                Expr::BinaryExpr(_) | Expr::Between(_) | Expr::InList(_) => true,
                Expr::ScalarFunction(f) => f.name() == "round",
                _ => false,
            };
            if !has_expr(&plan, may_change) {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            map_named(plan, |expr| expr.transform_up(|e| Ok(rewrite(e, &schema))))
        });
        Ok(rewritten?.data)
    }
}

fn rewrite(e: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match e {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if meets_numbers(op) => {
            let beside = || beside_integer(&left, op, &right, schema);
            let Some([left, right]) = alike([&left, &right], schema).or_else(beside) else {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            };
            let (left, right) = (Box::new(left), Box::new(right));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let Some([expr, low, high]) = alike([&expr, &low, &high], schema) else {
                return Transformed::no(Expr::Between(Between { expr, negated, low, high }));
            };
            let [expr, low, high] = [expr, low, high].map(Box::new);
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let all = alike_all(std::iter::once(expr.as_ref()).chain(&list), schema);
            match all.map(|all| all.into_iter()) {
                None => Transformed::no(Expr::InList(InList { expr, list, negated })),
                Some(mut all) => {
                    let expr = all.next().map_or(expr, Box::new);
                    Transformed::yes(Expr::InList(InList { expr, list: all.collect(), negated }))
                }
            }
        }
        Expr::ScalarFunction(f) if f.name() == "round" => rounded(f, schema),
        other => Transformed::no(other),
    }
}

/// `round` of a decimal: DataFusion's says another type than it gives.
fn rounded(f: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let digits = match f.args.get(1) {
        None => Some(0),
        Some(Expr::Literal(value, _)) => match value {
            ScalarValue::Int64(digits) => *digits,
            ScalarValue::Int32(digits) => digits.map(i64::from),
            _ => None,
        },
        Some(_) => None,
    };
    let scale = match f.args.first().and_then(|value| type_of(value, schema)) {
        Some(DataType::Decimal128(_, scale)) => scale,
        _ => return Transformed::no(Expr::ScalarFunction(f)),
    };
    match (digits.and_then(|n| i8::try_from(n).ok()), f.args.first()) {
        (Some(digits), Some(value)) if digits >= 0 => {
            Transformed::yes(rounded_decimal::round(value.clone(), digits.min(scale)))
        }
        _ => Transformed::no(Expr::ScalarFunction(f)),
    }
}

/// A number that is written beside an integer is exact: `n * 1.1`.
fn beside_integer(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<[Expr; 2]> {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    if !matches!(op, Plus | Minus | Multiply | Divide | Modulo) {
        return None;
    }
    let is_integer = |e: &Expr| type_of(e, schema).is_some_and(|t| t.is_integer());
    let exact = |e: &Expr| exact(e).filter(has_digits_of_a_double);
    match (exact(left), exact(right)) {
        (Some(number), None) if is_integer(right) => Some([number, right.clone()]),
        (None, Some(number)) if is_integer(left) => Some([left.clone(), number]),
        _ => None,
    }
}

/// A double has 15 digits for certain, and more of a number than these are made up.
fn has_digits_of_a_double(e: &Expr) -> bool {
    matches!(e, Expr::Literal(ScalarValue::Decimal128(_, digits, _), _) if *digits <= 15)
}

fn meets_numbers(op: Operator) -> bool {
    use Operator::{
        Divide, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, Minus, Modulo, Multiply,
        NotEq, Plus,
    };
    matches!(op, Plus | Minus | Multiply | Divide | Modulo | Eq | NotEq | Lt | LtEq | Gt | GtEq)
        || matches!(op, IsDistinctFrom | IsNotDistinctFrom)
}

fn alike<const N: usize>(exprs: [&Expr; N], schema: &DFSchema) -> Option<[Expr; N]> {
    alike_all(exprs.into_iter(), schema)?.try_into().ok()
}

/// Decimals and floats as one of both; `None` if they are not mixed.
fn alike_all<'a>(
    exprs: impl Iterator<Item = &'a Expr> + Clone,
    schema: &DFSchema,
) -> Option<Vec<Expr>> {
    // what is last is mostly short, and chains of operators are long
    let last = exprs.clone().last().and_then(|e| type_of(e, schema))?;
    if !(last.is_decimal() || last.is_floating()) && exprs.clone().count() == 2 {
        return None;
    }
    let types: Vec<_> = exprs.clone().map(|e| type_of(e, schema)).collect();
    let is = |test: fn(&DataType) -> bool| types.iter().flatten().any(test);
    if !is(DataType::is_decimal) || !is(DataType::is_floating) {
        return None;
    }
    let is_float_that_is_not_written = |(e, t): (&Expr, &Option<DataType>)| {
        t.as_ref().is_some_and(DataType::is_floating) && exact(e).is_none()
    };
    let has_float = exprs.clone().zip(&types).any(is_float_that_is_not_written);
    let alike = |(e, t): (&Expr, &Option<DataType>)| match t {
        Some(t) if has_float && t.is_decimal() => cast(e.clone(), DataType::Float64),
        Some(t) if !has_float && t.is_floating() => exact(e).unwrap_or_else(|| e.clone()),
        _ => e.clone(),
    };
    Some(exprs.zip(&types).map(alike).collect())
}

fn type_of(e: &Expr, schema: &DFSchema) -> Option<DataType> {
    match e {
        Expr::Literal(value, _) => Some(value.data_type()),
        other => other.get_type(schema).ok(),
    }
}

/// A double that is written, as the decimal that it was written as.
fn exact(e: &Expr) -> Option<Expr> {
    let number = match e {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => *number,
        Expr::Negative(inner) => match inner.as_ref() {
            Expr::Literal(ScalarValue::Float64(Some(number)), _) => -number,
            _ => return None,
        },
        _ => return None,
    };
    // the shortest text of a double is what was written, up to 15 digits
    let text = format!("{number}");
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((&text, ""));
    let whole = whole.trim_start_matches(['-', '0']);
    let scale = i8::try_from(fraction.len()).ok()?;
    let precision = u8::try_from((whole.len() + fraction.len()).max(1)).ok()?;
    if !number.is_finite() || precision > 38 {
        return None;
    }
    let unscaled: i128 = text.replace('.', "").parse().ok()?;
    Some(lit(ScalarValue::Decimal128(Some(unscaled), precision, scale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_number_is_the_decimal_of_its_text() {
        let of = |number: f64| match exact(&lit(number)) {
            Some(Expr::Literal(value, _)) => value.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!([of(1.055), of(-0.5), of(2.0)], ["1.055", "-0.5", "2"]);
        assert_eq!(exact(&lit(f64::NAN)), None);
    }
}
