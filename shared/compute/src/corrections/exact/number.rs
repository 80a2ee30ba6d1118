//! Numbers with room for sums: the unscaled values of decimals.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, Int64Type,
    UInt64Type, i256,
};
use datafusion::common::{Result, exec_err, internal_err};

/// What sums are counted in.
pub(super) trait Wide: DecimalType + std::fmt::Debug + Send + Sync {
    fn of_i128(n: i128) -> Self::Native;
    fn to_i128(n: Self::Native) -> Option<i128>;
    fn to_i256(n: Self::Native) -> i256;
}

impl Wide for Decimal128Type {
    fn of_i128(n: i128) -> i128 {
        n
    }
    fn to_i128(n: i128) -> Option<i128> {
        Some(n)
    }
    fn to_i256(n: i128) -> i256 {
        i256::from_i128(n)
    }
}

impl Wide for Decimal256Type {
    fn of_i128(n: i128) -> i256 {
        i256::from_i128(n)
    }
    fn to_i128(n: i256) -> Option<i128> {
        n.to_i128()
    }
    fn to_i256(n: i256) -> i256 {
        n
    }
}

/// Whether sums of a type are counted exactly.
pub(super) fn is_exact(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::UInt64) || data_type.is_decimal()
}

/// The type of sums of `input` values: digits for `spare` more than they have.
pub(super) fn sum_type(input: &DataType, spare: u8) -> DataType {
    match input {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            DataType::Decimal128(38, *scale)
        }
        DataType::Decimal128(precision, scale) if precision + spare <= 38 => {
            DataType::Decimal128(38, *scale)
        }
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            DataType::Decimal256(76, *scale)
        }
        _ => DataType::Decimal128(38, 0),
    }
}

/// Values as numbers of `T`, of the type `sums`.
pub(super) fn widen<T: Wide>(values: &ArrayRef, sums: &DataType) -> Result<PrimitiveArray<T>> {
    let wide: PrimitiveArray<T> = match values.data_type() {
        DataType::Int64 => values.as_primitive::<Int64Type>().unary(|n| T::of_i128(i128::from(n))),
        DataType::UInt64 => {
            values.as_primitive::<UInt64Type>().unary(|n| T::of_i128(i128::from(n)))
        }
        DataType::Decimal32(..) => {
            values.as_primitive::<Decimal32Type>().unary(|n| T::of_i128(i128::from(n)))
        }
        DataType::Decimal64(..) => {
            values.as_primitive::<Decimal64Type>().unary(|n| T::of_i128(i128::from(n)))
        }
        own if T::PREFIX == prefix(own) => values.as_primitive::<T>().clone(),
        DataType::Decimal128(..) => values.as_primitive::<Decimal128Type>().unary(T::of_i128),
        other => return internal_err!("{other} is not summed exactly"),
    };
    Ok(wide.with_data_type(sums.clone()))
}

fn prefix(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Decimal128(..) => Decimal128Type::PREFIX,
        DataType::Decimal256(..) => Decimal256Type::PREFIX,
        _ => "",
    }
}

/// Sums as values of the result's type; `what` was summed.
///
/// # Errors
/// A sum does not fit.
pub(super) fn narrow<T: Wide>(
    sums: &PrimitiveArray<T>,
    to: &DataType,
    what: &str,
) -> Result<ArrayRef> {
    Ok(match to {
        DataType::Int64 => {
            let small = |n| i64::try_from(T::to_i128(n)?).ok();
            Arc::new(convert::<T, Int64Type>(sums, small, to, what)?)
        }
        DataType::UInt64 => {
            let small = |n| u64::try_from(T::to_i128(n)?).ok();
            Arc::new(convert::<T, UInt64Type>(sums, small, to, what)?)
        }
        DataType::Decimal32(precision, _) => {
            let small = |n| i32::try_from(fitting::<T>(n, *precision)?.to_i128()?).ok();
            Arc::new(convert::<T, Decimal32Type>(sums, small, to, what)?)
        }
        DataType::Decimal64(precision, _) => {
            let small = |n| i64::try_from(fitting::<T>(n, *precision)?.to_i128()?).ok();
            Arc::new(convert::<T, Decimal64Type>(sums, small, to, what)?)
        }
        DataType::Decimal128(precision, _) => {
            let small = |n| fitting::<T>(n, *precision)?.to_i128();
            Arc::new(convert::<T, Decimal128Type>(sums, small, to, what)?)
        }
        DataType::Decimal256(precision, _) => {
            let small = |n| fitting::<T>(n, *precision);
            Arc::new(convert::<T, Decimal256Type>(sums, small, to, what)?)
        }
        other => return internal_err!("{other} is no exact sum"),
    })
}

fn fitting<T: Wide>(n: T::Native, precision: u8) -> Option<i256> {
    let n = T::to_i256(n);
    Decimal256Type::is_valid_decimal_precision(n, precision).then_some(n)
}

/// All digits of a number, however many its type has.
fn shown(number: i256, data_type: &DataType) -> String {
    let (DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale)) = data_type else {
        return number.to_string();
    };
    let after_point = usize::try_from(*scale).unwrap_or(0);
    let digits = format!("{:0>1$}", number.wrapping_abs().to_string(), after_point + 1);
    let sign = if number.is_negative() { "-" } else { "" };
    match digits.split_at(digits.len() - after_point) {
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

fn convert<T: Wide, R: datafusion::arrow::datatypes::ArrowPrimitiveType>(
    sums: &PrimitiveArray<T>,
    small: impl Fn(T::Native) -> Option<R::Native>,
    to: &DataType,
    what: &str,
) -> Result<PrimitiveArray<R>> {
    if let Some(large) = sums.iter().flatten().find(|n| small(*n).is_none()) {
        let sum = shown(T::to_i256(large), sums.data_type());
        return exec_err!("{what} overflows: {sum} does not fit {}", crate::sql_type::name(to));
    }
    Ok(sums.unary::<_, R>(|n| small(n).unwrap_or_default()).with_data_type(to.clone()))
}
