//! The operations on arrays.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, Datum};
use datafusion::arrow::compute::kernels::numeric::{add, div, mul, neg, sub};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, DecimalType};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, internal_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr_common::datum::apply;
use datafusion::scalar::ScalarValue;

use super::function::Arithmetic;
use crate::sql_type;

/// # Errors
/// A result does not fit `result`: names `text`.
pub(super) fn evaluate(
    arithmetic: Arithmetic,
    operands: &[ColumnarValue],
    result: &DataType,
    text: &str,
) -> Result<ColumnarValue> {
    let value = match (arithmetic, operands) {
        (Arithmetic::Add, [a, b]) => apply(a, b, add),
        (Arithmetic::Subtract, [a, b]) => apply(a, b, sub),
        (Arithmetic::Multiply, [a, b]) => apply(a, b, mul),
        (Arithmetic::Divide, [a, b]) => apply(a, b, |a, b| quotient(a, b, result)),
        (Arithmetic::Negate, [ColumnarValue::Array(a)]) => {
            neg(a.as_ref()).map(ColumnarValue::Array).map_err(Into::into)
        }
        (Arithmetic::Negate, [ColumnarValue::Scalar(a)]) => negated(a),
        _ => internal_err!("an operation has one or two operands"),
    };
    let value = value.map_err(|e| named(e, result, text))?;
    check_digits(&value, result, text)?;
    Ok(value)
}

fn negated(value: &ScalarValue) -> Result<ColumnarValue> {
    let negated = neg(value.to_array()?.as_ref())?;
    Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&negated, 0)?))
}

/// An overflow by the name of its expression; any other error as it is.
fn named(e: DataFusionError, result: &DataType, text: &str) -> DataFusionError {
    let is_overflow = matches!(
        e.find_root(),
        DataFusionError::ArrowError(e, _) if matches!(**e, ArrowError::ArithmeticOverflow(_))
    );
    if is_overflow { beyond(result, text) } else { e }
}

fn beyond(result: &DataType, text: &str) -> DataFusionError {
    let remedy = match result.is_integer() {
        true => ": cast a side of it to DECIMAL(38, 0)",
        false => "",
    };
    DataFusionError::Execution(format!("{text} overflows {}{remedy}", sql_type::name(result)))
}

/// A decimal of 128 bits has room for a few numbers of 39 digits.
fn check_digits(value: &ColumnarValue, result: &DataType, text: &str) -> Result<()> {
    let ColumnarValue::Array(array) = value else {
        return match value {
            ColumnarValue::Scalar(scalar) if result.is_decimal() && !scalar.is_null() => {
                check_digits(&ColumnarValue::Array(scalar.to_array()?), result, text)
            }
            _ => Ok(()),
        };
    };
    let fits = match result {
        DataType::Decimal128(precision, _) => all_fit_128(array, *precision),
        DataType::Decimal256(precision, _) => {
            let numbers = array.as_primitive::<Decimal256Type>();
            numbers
                .iter()
                .flatten()
                .all(|n| Decimal256Type::is_valid_decimal_precision(n, *precision))
        }
        _ => true,
    };
    if fits { Ok(()) } else { Err(beyond(result, text)) }
}

fn all_fit_128(array: &ArrayRef, precision: u8) -> bool {
    let numbers = array.as_primitive::<Decimal128Type>();
    let limit = 10_i128.pow(u32::from(precision));
    // all bits that any of them has: mostly that shows already that none is too large
    let bits = numbers.values().iter().fold(0, |bits, n| bits | (n ^ (n >> 127)));
    bits.leading_zeros() > limit.leading_zeros()
        || numbers.iter().flatten().all(|n| n > -limit && n < limit)
}

/// Quotients of decimals, rounded half away from zero.
fn quotient(a: &dyn Datum, b: &dyn Datum, result: &DataType) -> Result<ArrayRef, ArrowError> {
    let (left, left_is_one) = a.get();
    let (right, right_is_one) = b.get();
    let (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2), DataType::Decimal128(_, s)) =
        (left.data_type(), right.data_type(), result)
    else {
        return div(a, b);
    };
    let digits = i32::from(*s) - i32::from(*s1) + i32::from(*s2);
    let Some(factor) = u32::try_from(digits).ok().and_then(|d| 10_i128.checked_pow(d)) else {
        return div(a, b);
    };
    let (left, right) =
        (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
    let length = if left_is_one { right.len() } else { left.len() };
    let at = |n: usize, is_one: bool| if is_one { 0 } else { n };
    let quotients = (0..length).map(|n| {
        let (l, r) = (at(n, left_is_one), at(n, right_is_one));
        if left.is_null(l) || right.is_null(r) {
            return Ok(None);
        }
        rounded(left.value(l), factor, right.value(r)).map(Some)
    });
    let quotients = quotients.collect::<Result<Vec<_>, ArrowError>>()?;
    let quotients = datafusion::arrow::array::Decimal128Array::from(quotients);
    Ok(Arc::new(quotients.with_data_type(result.clone())))
}

/// `n * factor / d`.
fn rounded(n: i128, factor: i128, d: i128) -> Result<i128, ArrowError> {
    use datafusion::arrow::datatypes::i256;
    if d == 0 {
        return Err(ArrowError::DivideByZero);
    }
    let is_negative = (n < 0) != (d < 0);
    let magnitude = match n.unsigned_abs().checked_mul(factor.unsigned_abs()) {
        Some(n) => {
            let (n, d) = (n, d.unsigned_abs());
            i128::try_from(n / d + u128::from(n % d >= d - n % d)).ok()
        }
        None => {
            let wide = |n: i128| i256::from_i128(n).wrapping_abs();
            let (n, d) = (wide(n).mul_checked(wide(factor))?, wide(d));
            let (q, rest) = (n.wrapping_div(d), n.wrapping_rem(d));
            let up = if rest >= d.wrapping_sub(rest) { i256::ONE } else { i256::ZERO };
            q.wrapping_add(up).to_i128()
        }
    };
    let overflow = || ArrowError::ArithmeticOverflow("a quotient".into());
    let magnitude = magnitude.ok_or_else(overflow)?;
    Ok(if is_negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let of = |n, d| rounded(n, 10, d).expect("a quotient");
        assert_eq!([of(2, 3), of(-2, 3), of(1, 20), of(-1, 20), of(1, 21)], [7, -7, 1, -1, 0]);
        assert_eq!(rounded(i128::MAX / 5, 1_000_000, 1_000_000).expect("wide"), i128::MAX / 5);
        assert!(rounded(i128::MAX, 10, 1).is_err());
        assert!(matches!(rounded(1, 1, 0), Err(ArrowError::DivideByZero)));
    }
}
