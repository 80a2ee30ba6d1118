//! The operations on arrays.

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, Datum, Decimal256Array,
};
use datafusion::arrow::compute::kernels::numeric::{add, mul, neg, sub};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, DecimalType, i256};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, internal_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr_common::datum::apply;
use datafusion::scalar::ScalarValue;

use super::digits::as_decimal;
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
    let ((left, s1, left_is_one), (right, s2, right_is_one)) = (decimals(a)?, decimals(b)?);
    let Some((_, scale)) = as_decimal(result) else {
        return Err(ArrowError::InvalidArgumentError(format!("{result} is no quotient")));
    };
    let digits = i32::from(scale) - i32::from(s1) + i32::from(s2);
    let overflow = || ArrowError::ArithmeticOverflow("a quotient".into());
    let digits = u32::try_from(digits).map_err(|_| overflow())?;
    let factor = 10_i128.checked_pow(digits);
    let length = if left_is_one { right.len() } else { left.len() };
    let at = |n: usize, is_one: bool| if is_one { 0 } else { n };
    let quotients = (0..length).map(|n| {
        let (l, r) = (at(n, left_is_one), at(n, right_is_one));
        if left.is_null(l) || right.is_null(r) {
            return Ok(None);
        }
        rounded(left.value(l), factor, digits, right.value(r)).map(Some)
    });
    let quotients = quotients.collect::<Result<Vec<_>, ArrowError>>()?;
    let quotients =
        Decimal256Array::from(quotients).with_data_type(DataType::Decimal256(76, scale));
    cast_with_options(&quotients, result, &CastOptions { safe: false, ..Default::default() })
        .map_err(|_| overflow())
}

/// Numbers as decimals of 256 bits, their scale, and whether there is one for all rows.
fn decimals(numbers: &dyn Datum) -> Result<(Decimal256Array, i8, bool), ArrowError> {
    let (array, is_one) = numbers.get();
    let Some((_, scale)) = as_decimal(array.data_type()) else {
        let message = format!("{} is not divided exactly", array.data_type());
        return Err(ArrowError::InvalidArgumentError(message));
    };
    let wide = cast(array, &DataType::Decimal256(76, scale))?;
    Ok((wide.as_primitive::<Decimal256Type>().clone(), scale, is_one))
}

/// `n * 10^digits / d`; `factor` is that power, if it fits.
fn rounded(n: i256, factor: Option<i128>, digits: u32, d: i256) -> Result<i256, ArrowError> {
    if d == i256::ZERO {
        return Err(ArrowError::DivideByZero);
    }
    // almost always everything fits 128 bits, whose division is much faster
    if let (Some(n), Some(factor), Some(d)) = (n.to_i128(), factor, d.to_i128())
        && let Some(n) = n.checked_mul(factor)
    {
        let (quotient, rest) = (n.wrapping_div(d), n.wrapping_rem(d));
        let (rest, half) = (rest.unsigned_abs(), d.unsigned_abs());
        let up = i128::from(rest >= half - rest);
        let is_negative = (n < 0) != (d < 0);
        return Ok(i256::from_i128(if is_negative { quotient - up } else { quotient + up }));
    }
    let n = n.mul_checked(i256::from_i128(10).pow_checked(digits)?)?;
    let (quotient, rest) = (n.wrapping_div(d), n.wrapping_rem(d));
    let (rest, all) = (rest.wrapping_abs(), d.wrapping_abs());
    let up = if rest >= all.wrapping_sub(rest) { i256::ONE } else { i256::ZERO };
    let is_negative = n.is_negative() != d.is_negative();
    Ok(if is_negative { quotient.wrapping_sub(up) } else { quotient.wrapping_add(up) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: i128, digits: u32, d: i128) -> Result<Option<i128>, ArrowError> {
        let (n, d) = (i256::from_i128(n), i256::from_i128(d));
        Ok(rounded(n, 10_i128.checked_pow(digits), digits, d)?.to_i128())
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let near = [(2, 3), (-2, 3), (1, 20), (-1, 20), (1, 21)];
        let near = near.map(|(n, d)| of(n, 1, d).expect("a quotient"));
        assert_eq!(near, [7, -7, 1, -1, 0].map(Some));
        assert_eq!(of(i128::MAX / 5, 6, 1_000_000).expect("wide"), Some(i128::MAX / 5));
        assert_eq!(of(-i128::MAX, 1, 3).expect("wide"), None);
        assert!(matches!(of(1, 0, 0), Err(ArrowError::DivideByZero)));
    }
}
