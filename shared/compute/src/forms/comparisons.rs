//! Comparisons with rows and with lists: what is NULL inside of them makes the answer unknown. DataFusion
//! compares a row as one value, and passes over a list's NULL.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Value, helpers::attached_token::AttachedToken,
};

use super::Rewritten;
use super::expressions::{call, number, take, unnested};

/// `(a, b) < (c, d)`, of the values one by one.
pub(super) fn rows(expr: &mut Expr) -> Rewritten {
    let Expr::BinaryOp { left, op, right } = expr else { return Ok(()) };
    let (Some(left), Some(right)) = (row(left), row(right)) else { return Ok(()) };
    if left.len() != right.len() {
        return Err(format!(
            "a row of {} values is compared with one of {}",
            left.len(),
            right.len()
        ));
    }
    let compared = match op {
        BinaryOperator::Eq => all_equal(left, right),
        BinaryOperator::NotEq => differ(left, right),
        BinaryOperator::Lt => in_order(left, right, &BinaryOperator::Lt, op),
        BinaryOperator::LtEq => in_order(left, right, &BinaryOperator::Lt, op),
        BinaryOperator::Gt => in_order(left, right, &BinaryOperator::Gt, op),
        BinaryOperator::GtEq => in_order(left, right, &BinaryOperator::Gt, op),
        _ => return Ok(()),
    };
    *expr = Expr::Nested(Box::new(compared));
    Ok(())
}

/// `(a, b) IN ((1, 2), (3, 4))`.
pub(super) fn row_in_list(expr: &mut Expr) -> Rewritten {
    let Expr::InList { expr: value, list, negated } = expr else { return Ok(()) };
    let Some(value) = row(value) else { return Ok(()) };
    let rows: Option<Vec<_>> = list.iter().map(row).collect();
    let Some(rows) = rows.filter(|rows| rows.iter().all(|r| r.len() == value.len())) else {
        return Err(format!("a row of {} values is looked for among others", value.len()));
    };
    let equal = rows.into_iter().map(|row| Expr::Nested(Box::new(all_equal(value, row))));
    let found = equal.reduce(|a, b| binary(a, BinaryOperator::Or, b));
    let Some(found) = found.map(|e| Expr::Nested(Box::new(e))) else { return Ok(()) };
    let not = datafusion::sql::sqlparser::ast::UnaryOperator::Not;
    *expr = match negated {
        true => Expr::Nested(Box::new(Expr::UnaryOp { op: not, expr: Box::new(found) })),
        false => found,
    };
    Ok(())
}

/// `a = ANY (list)`.
pub(super) fn any_of_list(expr: &mut Expr) {
    let Expr::AnyOp { left, compare_op, right, .. } = expr else { return };
    match unnested(right) {
        Expr::Subquery(_) => return,
        Expr::Array(array) if *compare_op == BinaryOperator::Eq && !array.elem.is_empty() => {
            let list = array.elem.clone();
            *expr = Expr::InList { expr: Box::new(take(left)), list, negated: false };
            return;
        }
        _ => {}
    }
    let (value, list) = (left.as_ref().clone(), right.as_ref().clone());
    let is_null = |e: &Expr| Expr::IsNull(Box::new(e.clone()));
    let null = || Expr::value(Value::Null);
    let truth = |b| Expr::value(Value::Boolean(b));
    let count = call("cardinality", vec![list.clone()]);
    let null_at = call("array_position", vec![list.clone(), null()]);
    let when = |condition, result| CaseWhen { condition, result };
    let conditions = vec![
        when(is_null(&list), null()),
        when(binary(count, BinaryOperator::Eq, number(0)), truth(false)),
        when(is_null(&value), null()),
        when(take(expr), truth(true)),
        when(Expr::IsNotNull(Box::new(null_at)), null()),
    ];
    *expr = Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions,
        else_result: Some(Box::new(truth(false))),
    };
}

fn row(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(values) if !values.is_empty() => Some(values),
        _ => None,
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn pairs(left: &[Expr], op: &BinaryOperator, right: &[Expr], between: &BinaryOperator) -> Expr {
    let each = left.iter().zip(right).map(|(a, b)| binary(a.clone(), op.clone(), b.clone()));
    let joined = each.reduce(|a, b| binary(a, between.clone(), b));
    joined.unwrap_or_else(|| Expr::value(Value::Boolean(true)))
}

fn all_equal(left: &[Expr], right: &[Expr]) -> Expr {
    pairs(left, &BinaryOperator::Eq, right, &BinaryOperator::And)
}

fn differ(left: &[Expr], right: &[Expr]) -> Expr {
    pairs(left, &BinaryOperator::NotEq, right, &BinaryOperator::Or)
}

/// The first values that differ decide.
fn in_order(
    left: &[Expr],
    right: &[Expr],
    strictly: &BinaryOperator,
    last: &BinaryOperator,
) -> Expr {
    let ([a, more_left @ ..], [b, more_right @ ..]) = (left, right) else {
        return Expr::value(Value::Boolean(true));
    };
    if more_left.is_empty() {
        return binary(a.clone(), last.clone(), b.clone());
    }
    let rest = Expr::Nested(Box::new(in_order(more_left, more_right, strictly, last)));
    let equal = binary(a.clone(), BinaryOperator::Eq, b.clone());
    let later = Expr::Nested(Box::new(binary(equal, BinaryOperator::And, rest)));
    binary(binary(a.clone(), strictly.clone(), b.clone()), BinaryOperator::Or, later)
}
