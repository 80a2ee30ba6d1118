//! Which operator binds before which, where the parser has another opinion than PostgreSQL.
//!
//! `a IS DISTINCT FROM b AND c`: the parser takes all that follows for what `a` is compared with. What the
//! comparison lets go of goes around what the comparison stands in: `NOT`, and an `AND` whose `OR` has come
//! to light. The parser itself puts parentheses around an AND below NOT, and around an OR below AND.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use super::Rewritten;
use super::expressions::take;

/// Rewrites one expression, whose parts have been.
///
/// # Errors
/// Operators that systems take in different orders stand beside each other.
pub(super) fn rewrite(expr: &mut Expr) -> Rewritten {
    match expr {
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => compare_first(expr),
        Expr::UnaryOp { op: UnaryOperator::Not, .. } => negate_first(expr),
        Expr::BinaryOp { op: BinaryOperator::And, .. } => and_before_or(expr),
        Expr::BinaryOp { op, right, .. } if binds_as_others(op, right) => {
            return Err(format!(
                "{op} and {} bind otherwise in other systems: write parentheses",
                operator(right)
            ));
        }
        _ => {}
    }
    Ok(())
}

/// What is compared ends before AND and OR.
fn compare_first(expr: &mut Expr) {
    let (Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)) = expr else { return };
    if !is_logical(right) {
        return;
    }
    let compared_with = take(first_of_logical(right));
    let (Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)) = expr else { return };
    let logical = take(right);
    **right = compared_with;
    let comparison = take(expr);
    *expr = logical;
    *first_of_logical(expr) = comparison;
}

/// What is negated ends there, too.
fn negate_first(expr: &mut Expr) {
    let Expr::UnaryOp { expr: negated, .. } = expr else { return };
    if !is_logical(negated) {
        return;
    }
    let mut logical = take(negated);
    **negated = take(first_of_logical(&mut logical));
    let negation = std::mem::replace(expr, logical);
    *first_of_logical(expr) = negation;
}

/// `a AND (b OR c)` without the parentheses.
fn and_before_or(expr: &mut Expr) {
    let Expr::BinaryOp { right, .. } = expr else { return };
    if !is(right, &BinaryOperator::Or) {
        return;
    }
    let mut alternatives = take(right);
    **right = take(first_of(&mut alternatives, &[BinaryOperator::Or]));
    let conjunction = std::mem::replace(expr, alternatives);
    *first_of(expr, &[BinaryOperator::Or]) = conjunction;
}

fn is(expr: &Expr, wanted: &BinaryOperator) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if op == wanted)
}

fn is_logical(expr: &Expr) -> bool {
    is(expr, &BinaryOperator::And) || is(expr, &BinaryOperator::Or)
}

/// What stands first in a chain of AND and OR.
fn first_of_logical(expr: &mut Expr) -> &mut Expr {
    first_of(expr, &[BinaryOperator::And, BinaryOperator::Or])
}

/// What stands first in a chain of operators.
fn first_of<'a>(expr: &'a mut Expr, chain: &[BinaryOperator]) -> &'a mut Expr {
    let mut first = expr;
    while matches!(first, Expr::BinaryOp { op, .. } if chain.contains(op)) {
        let Expr::BinaryOp { left, .. } = first else { unreachable!("it has just matched") };
        first = left;
    }
    first
}

/// Operators that PostgreSQL takes from the left, and the parser by a rank.
fn binds_as_others(op: &BinaryOperator, right: &Expr) -> bool {
    use BinaryOperator::{
        BitwiseAnd, BitwiseOr, PGBitwiseShiftLeft, PGBitwiseShiftRight, PGBitwiseXor,
    };
    let is_other = |op: &BinaryOperator| {
        matches!(
            op,
            BitwiseAnd | BitwiseOr | PGBitwiseXor | PGBitwiseShiftLeft | PGBitwiseShiftRight
        )
    };
    is_other(op) && matches!(right, Expr::BinaryOp { op, .. } if is_other(op))
}

fn operator(expr: &Expr) -> String {
    match expr {
        Expr::BinaryOp { op, .. } => op.to_string(),
        other => other.to_string(),
    }
}
