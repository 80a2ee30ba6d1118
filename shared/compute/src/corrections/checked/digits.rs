//! How large a decimal can get, by its type.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};
use datafusion::scalar::ScalarValue;

/// The digits that a decimal of 128 bits has at most.
const DECIMAL128_DIGITS: u32 = 38;

/// Whether the result of an operation fits its type, whatever the values of its columns. Only of
/// decimals can that be told from types.
pub(super) fn always_fits(e: &Expr, type_of: &impl Fn(&Expr) -> Option<DataType>) -> bool {
    matches!(type_of(e), Some(DataType::Decimal128(..)))
        && digits(e, type_of).is_some_and(|d| d.total() <= DECIMAL128_DIGITS)
}

#[derive(Debug, Clone, Copy)]
struct Digits {
    before_point: u32,
    after_point: u32,
}

impl Digits {
    fn total(self) -> u32 {
        self.before_point + self.after_point
    }
}

fn digits(e: &Expr, type_of: &impl Fn(&Expr) -> Option<DataType>) -> Option<Digits> {
    match e {
        Expr::Literal(ScalarValue::Decimal128(Some(n), _, scale), _) => {
            let after_point = u32::try_from(*scale).ok()?;
            let all = n.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
            Some(Digits { before_point: all.saturating_sub(after_point), after_point })
        }
        // made of a whole number that has fewer digits than the type it is made
        Expr::Cast(Cast { expr, field }) => match (expr.as_ref(), field.data_type()) {
            (Expr::Literal(value, _), DataType::Decimal128(_, scale)) => {
                let cast = value.cast_to(&DataType::Decimal128(38, *scale)).ok()?;
                digits(&Expr::Literal(cast, None), type_of)
            }
            (_, to) => of_type(to),
        },
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (left, right) = (digits(left, type_of)?, digits(right, type_of)?);
            match op {
                Operator::Plus | Operator::Minus => Some(Digits {
                    before_point: left.before_point.max(right.before_point) + 1,
                    after_point: left.after_point.max(right.after_point),
                }),
                Operator::Multiply => Some(Digits {
                    before_point: left.before_point + right.before_point,
                    after_point: left.after_point + right.after_point,
                }),
                _ => of_type(&type_of(e)?),
            }
        }
        other => of_type(&type_of(other)?),
    }
}

fn of_type(data_type: &DataType) -> Option<Digits> {
    match data_type {
        DataType::Decimal128(precision, scale) => {
            let after_point = u32::try_from(*scale).ok()?;
            let before_point = u32::from(*precision).checked_sub(after_point)?;
            Some(Digits { before_point, after_point })
        }
        _ => None,
    }
}

/// The digits that a quotient has after its point, as PostgreSQL's has at least, if there is room for
/// them; else four more than what is divided, as DataFusion has it.
const QUOTIENT_DIGITS: i8 = 16;

/// The type of `left / right`.
pub(super) fn quotient_type(left: &DataType, right: &DataType) -> Option<DataType> {
    let ((p1, s1), (_, s2)) = (as_decimal(left)?, as_decimal(right)?);
    let is_wide = [left, right].iter().any(|t| matches!(t, DataType::Decimal256(..)));
    let most: i8 = if is_wide { 76 } else { 38 };
    let before_point = p1.checked_sub(s1)?.checked_add(s2)?;
    let room = (most - before_point).min(QUOTIENT_DIGITS);
    let scale = room.max(s1 + 4).min(most);
    let precision = before_point.saturating_add(scale).min(most).max(1);
    let precision = u8::try_from(precision).ok()?;
    Some(match is_wide {
        true => DataType::Decimal256(precision, scale),
        false => DataType::Decimal128(precision, scale),
    })
}

/// A number as a decimal: its precision and scale.
pub(super) fn as_decimal(data_type: &DataType) -> Option<(i8, i8)> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => (i8::try_from(*p).ok()?, *s),
        _ => return None,
    })
}
