//! Numbers with a point: DataFusion's planner makes doubles of them, which hold neither a tenth nor more
//! than 15 digits. Where that shows they become decimals.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, UnaryOperator, Value,
};

/// Digits that a double holds of any decimal (C's `DBL_DIG`).
const DOUBLE_DIGITS: usize = 15;

/// Digits of the widest decimal.
const DECIMAL_DIGITS: usize = 38;

/// A number that is written, perhaps with a sign.
pub(super) fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Some(format!("-{}", literal(expr)?)),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a number has more digits than a double or a whole number of 64 bits.
pub(super) fn is_wide(text: &str) -> bool {
    match text.contains('.') {
        true => digits(text).is_some_and(|(all, _)| all > DOUBLE_DIGITS),
        false => text.parse::<u64>().is_err(),
    }
}

/// All digits but leading zeros, and those after the point.
fn digits(text: &str) -> Option<(usize, usize)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let whole = whole.trim_start_matches('0');
    let all = whole.len() + fraction.len();
    (is_plain(whole) && is_plain(fraction) && all <= DECIMAL_DIGITS)
        .then_some((all.max(1), fraction.len()))
}

/// A number as a decimal of its own digits.
pub(super) fn exact(text: &str) -> Option<Expr> {
    let (all, after_point) = digits(text)?;
    let info = ExactNumberInfo::PrecisionAndScale(all as u64, after_point as i64);
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(text.to_owned()))),
        data_type: DataType::Decimal(info),
        array: false,
        format: None,
    })
}

pub(super) fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(op, Plus | Minus | Multiply | Divide | Modulo)
}

/// `0.1 + 0.2` is `0.3`: where both sides are written, those with a point become decimals.
pub(super) fn make_exact(left: &mut Expr, right: &mut Expr) {
    if is_written(left) && is_written(right) {
        [left, right].into_iter().for_each(replace);
    }
}

fn is_written(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            is_written(inner)
        }
        Expr::BinaryOp { left, op, right } => {
            is_arithmetic(op) && is_written(left) && is_written(right)
        }
        Expr::Cast { expr, data_type: DataType::Decimal(_), .. } => {
            matches!(expr.as_ref(), Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)))
        }
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        _ => false,
    }
}

fn replace(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => replace(inner),
        Expr::Value(value) => {
            if let Value::Number(text, _) = &value.value
                && text.contains('.')
                && let Some(exact) = exact(text)
            {
                *expr = exact;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_own_digits() {
        let of = |text: &str| exact(text).map(|e| e.to_string());
        assert_eq!(of("0.1").as_deref(), Some("CAST('0.1' AS DECIMAL(1,1))"));
        assert_eq!(of("10.25").as_deref(), Some("CAST('10.25' AS DECIMAL(4,2))"));
        assert_eq!(of("1e5"), None);
        assert_eq!(
            [is_wide("0.1"), is_wide("1234567890.123456"), is_wide("9")],
            [false, true, false]
        );
        assert!(is_wide("99999999999999999999"));
    }
}
