//! `+`, `-`, `*`, `/` and negation of integers and decimals: what does not fit is an error that names
//! the expression, and quotients of decimals are rounded.
//!
//! DataFusion 55.2 wraps integers, lets decimals of 38 digits grow a 39th, and cuts quotients. Where
//! the types tell that a result always fits, its operator is left alone.

mod digits;
mod function;
mod kernels;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

use digits::always_fits;
use function::{Arithmetic, call, text_of};

use super::{has_expr, map_named};

pub(super) use function::is_checked;
pub(crate) use function::text_of_checked;

/// Puts the functions where fragments find them.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    for function in function::functions() {
        registry.register_udf(function)?;
    }
    Ok(())
}

/// Division of decimals; the rule has to run before types are coerced, because a quotient has more digits
/// than DataFusion's.
#[derive(Debug)]
pub(super) struct DivideDecimals;

impl AnalyzerRule for DivideDecimals {
    fn name(&self) -> &'static str {
        "divide_decimals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(divide_node)?.data)
    }
}

fn divide_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let may_change = |e: &Expr| matches!(e, Expr::BinaryExpr(e) if e.op == Operator::Divide);
    if !has_expr(&plan, may_change) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let is_exact = |e: &Expr| e.get_type(&schema).is_ok_and(|t| t.is_decimal() || t.is_integer());
    let is_decimal = |e: &Expr| e.get_type(&schema).is_ok_and(|t| t.is_decimal());
    map_named(plan, |expr| {
        expr.transform_up(|e| match e {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right })
                if is_exact(&left)
                    && is_exact(&right)
                    && (is_decimal(&left) || is_decimal(&right)) =>
            {
                let text = format!("{} / {}", text_of(&left), text_of(&right));
                Ok(Transformed::yes(call(Arithmetic::Divide, vec![*left, *right], &text)))
            }
            other => Ok(Transformed::no(other)),
        })
    })
}

/// The rule for all else; it has to run after types are coerced.
#[derive(Debug)]
pub(super) struct CheckArithmetic;

impl AnalyzerRule for CheckArithmetic {
    fn name(&self) -> &'static str {
        "check_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(check_node)?.data)
    }
}

fn check_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let may_change = |e: &Expr| match e {
        Expr::BinaryExpr(e) => {
            matches!(e.op, Operator::Plus | Operator::Minus | Operator::Multiply)
        }
        e => matches!(e, Expr::Negative(_)),
    };
    if !has_expr(&plan, may_change) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    // columns of an outer query are not in the schema: their types are in the expression
    let type_of = |e: &Expr| match function::operand(e) {
        Some(operand) if operand.get_type(&schema).is_ok_and(|t| t.is_integer()) => {
            operand.get_type(&schema).ok()
        }
        _ => e.get_type(&schema).ok(),
    };
    map_named(plan, |expr| {
        expr.transform_up(|e| {
            let Some(arithmetic) = arithmetic(&e, &type_of) else {
                return Ok(Transformed::no(e));
            };
            if always_fits(&e, &type_of) {
                return Ok(Transformed::no(e));
            }
            let text = text_of(&e);
            Ok(Transformed::yes(match e {
                Expr::BinaryExpr(e) => call(arithmetic, vec![*e.left, *e.right], &text),
                Expr::Negative(inner) => call(arithmetic, vec![*inner], &text),
                other => other,
            }))
        })
    })
}

/// The checked form of an expression that may not fit.
fn arithmetic(e: &Expr, type_of: &impl Fn(&Expr) -> Option<DataType>) -> Option<Arithmetic> {
    match e {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (left, right) = (type_of(left)?, type_of(right)?);
            let decimals = left.is_decimal() && right.is_decimal();
            let integers = left.is_integer() && right.is_integer();
            match op {
                Operator::Plus if integers || decimals => Some(Arithmetic::Add),
                Operator::Minus if integers || decimals => Some(Arithmetic::Subtract),
                Operator::Multiply if integers || decimals => Some(Arithmetic::Multiply),
                _ => None,
            }
        }
        Expr::Negative(inner) => type_of(inner)?.is_integer().then_some(Arithmetic::Negate),
        _ => None,
    }
}
