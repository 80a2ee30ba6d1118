//! The type of a column that the Parquet files of a table have with several.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use datafusion::scalar::ScalarValue;
use object_store::ObjectMeta;

use super::FileStatistics;
use crate::error::{Failure, refused};

/// The most digits of a decimal.
const DECIMAL256_DIGITS_MAX: u8 = 76;

/// The most digits of one of 128 bits.
const DECIMAL128_DIGITS_MAX: u8 = 38;

/// The largest number up to which a double has every whole one.
const EXACT_DOUBLE_MAX: i128 = 1 << 53;

/// The type that holds the values of both without loss, or all that the files turn out to have: of
/// that [`check`] makes sure.
pub(super) fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    one_way(a, b).or_else(|| one_way(b, a))
}

fn one_way(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Date32, Dictionary, LargeBinary, LargeList, LargeUtf8, List, Null,
        Struct, Time32, Time64, Timestamp, Utf8, Utf8View,
    };
    Some(match (a, b) {
        (Null, other) => other.clone(),
        (Timestamp(u, zone), Timestamp(v, other)) if zone.is_some() == other.is_some() => {
            let zone = if zone == other { zone.clone() } else { Some("UTC".into()) };
            Timestamp(finer(*u, *v), zone)
        }
        (Date32, Timestamp(unit, None)) => Timestamp(finer(*unit, TimeUnit::Second), None),
        (Time32(u) | Time64(u), Time32(v) | Time64(v)) => match finer(*u, *v) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => Time32(unit),
            unit => Time64(unit),
        },
        (Dictionary(_, value), Dictionary(_, other)) => common(&as_view(value), &as_view(other))?,
        (Dictionary(_, value), other) => common(&as_view(value), other)?,
        (Utf8, LargeUtf8) => LargeUtf8,
        (Utf8 | LargeUtf8, Utf8View) => Utf8View,
        (Binary, LargeBinary) => LargeBinary,
        (Binary | LargeBinary, BinaryView) => BinaryView,
        (List(a), List(b)) => List(common_field(a, b)?),
        (List(a) | LargeList(a), LargeList(b)) => LargeList(common_field(a, b)?),
        (Struct(a), Struct(b)) => Struct(common_fields(a, b)?),
        _ => number(a, b)?,
    })
}

/// Texts and bytes of a column are read as views.
fn as_view(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    }
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    a.max(b)
}

fn common_field(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    let data_type = common(a.data_type(), b.data_type())?;
    // files do not tell how large the numbers within values are
    let may_cut = [a, b].iter().any(|f| misfit(f.data_type(), &data_type, None).is_some());
    if may_cut {
        return None;
    }
    Some(Arc::new(Field::new(a.name(), data_type, a.is_nullable() || b.is_nullable())))
}

/// The fields of both; those that one lacks are null there.
fn common_fields(a: &Fields, b: &Fields) -> Option<Fields> {
    let lacking = |f: &FieldRef| Arc::new(f.as_ref().clone().with_nullable(true));
    let mut fields = vec![];
    let mut shared = false;
    for field in a {
        fields.push(match b.iter().find(|f| f.name() == field.name()) {
            Some(other) => {
                shared = true;
                common_field(field, other)?
            }
            None => lacking(field),
        });
    }
    let only_in_b = b.iter().filter(|f| a.iter().all(|known| known.name() != f.name()));
    fields.extend(only_in_b.map(lacking));
    // structures that share nothing are not taken for one another
    shared.then(|| fields.into())
}

/// Whole numbers by their bits, fractions, decimals.
fn number(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Float16, Float32, Float64, Int8, Int16, UInt8, UInt16};
    if a.is_integer() && b.is_integer() {
        return whole(a, b);
    }
    match (a, b) {
        (Float64, other) if other.is_integer() || other.is_floating() => Some(Float64),
        (Float32, Float16 | Int8 | Int16 | UInt8 | UInt16) => Some(Float32),
        (Float32 | Float16, other) if other.is_integer() => Some(Float64),
        _ => decimal(digits(a)?, digits(b)?),
    }
}

fn whole(a: &DataType, b: &DataType) -> Option<DataType> {
    let bits = |t: &DataType| t.primitive_width().map(|bytes| bytes * 8);
    let (a_bits, b_bits) = (bits(a)?, bits(b)?);
    let needed = match (a.is_signed_integer(), b.is_signed_integer()) {
        (true, true) => a_bits.max(b_bits),
        (false, false) => return Some(if a_bits >= b_bits { a.clone() } else { b.clone() }),
        (true, false) => a_bits.max(2 * b_bits),
        (false, true) => b_bits.max(2 * a_bits),
    };
    Some(match needed {
        16 => DataType::Int16,
        32 => DataType::Int32,
        64 => DataType::Int64,
        8 => DataType::Int8,
        _ => DataType::Decimal128(20, 0),
    })
}

/// Digits before and after the point.
fn digits(data_type: &DataType) -> Option<(u8, u8)> {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s) => {
            let scale = u8::try_from(*s).ok()?;
            (p.checked_sub(scale)?, scale)
        }
        _ => return None,
    })
}

fn decimal(a: (u8, u8), b: (u8, u8)) -> Option<DataType> {
    let scale = a.1.max(b.1);
    let precision = a.0.max(b.0) + scale;
    let signed = i8::try_from(scale).ok()?;
    match precision {
        0..=DECIMAL128_DIGITS_MAX => Some(DataType::Decimal128(precision.max(1), signed)),
        _ if precision <= DECIMAL256_DIGITS_MAX => Some(DataType::Decimal256(precision, signed)),
        _ => None,
    }
}

/// Makes sure that every file's values are in the types of the table, where a type by itself does
/// not tell.
///
/// # Errors
/// Names a file whose values are not, or may not be.
pub(super) fn check(
    found: &[(Schema, Option<FileStatistics>)],
    files: &[ObjectMeta],
    table: &Schema,
) -> Result<(), Failure> {
    for ((own, statistics), file) in found.iter().zip(files) {
        for (n, field) in own.fields().iter().enumerate() {
            let Ok(to) = table.field_with_name(field.name()) else { continue };
            let bounds = statistics.as_ref().and_then(|s| bounds(s, n));
            if let Some(why) = misfit(field.data_type(), to.data_type(), bounds) {
                return refused(format!(
                    "{}: column {} {why}: declare the column in _schema.json, or move the file",
                    file.location,
                    field.name()
                ));
            }
        }
    }
    Ok(())
}

fn misfit(from: &DataType, to: &DataType, bounds: Option<(i128, i128)>) -> Option<&'static str> {
    use DataType::{Date32, Float64, Int64, Timestamp, UInt64};
    match (from, to) {
        (Int64 | UInt64, Float64) => {
            let fits = |(least, most): (i128, i128)| {
                least >= -EXACT_DOUBLE_MAX && most <= EXACT_DOUBLE_MAX
            };
            (!bounds.is_some_and(fits)).then_some(
                "has whole numbers that may be too large for the fractions of other files",
            )
        }
        (Date32 | Timestamp(..), Timestamp(TimeUnit::Nanosecond, _)) if from != to => {
            let nanoseconds = nanoseconds(from)?;
            let fits = |(least, most): (i128, i128)| {
                let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
                range.contains(&(least * nanoseconds)) && range.contains(&(most * nanoseconds))
            };
            // what is not known is an error when it is read
            bounds.is_some_and(|b| !fits(b)).then_some(
                "has times outside of the years 1677 to 2262, which the nanoseconds of other files \
                 cannot hold",
            )
        }
        _ => None,
    }
}

/// Nanoseconds of a unit of a type.
fn nanoseconds(data_type: &DataType) -> Option<i128> {
    Some(match data_type {
        DataType::Date32 => 86_400_000_000_000,
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        _ => return None,
    })
}

/// The least and the greatest value of a column, if the file tells.
fn bounds(statistics: &FileStatistics, column: usize) -> Option<(i128, i128)> {
    let known = statistics.statistics.column_statistics.get(column)?;
    let rows = statistics.statistics.num_rows.get_value();
    if rows.is_some() && known.null_count.get_value() == rows {
        return Some((0, 0)); // nothing to hold
    }
    Some((number_of(known.min_value.get_value()?)?, number_of(known.max_value.get_value()?)?))
}

fn number_of(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Int64(Some(n))
        | ScalarValue::TimestampSecond(Some(n), _)
        | ScalarValue::TimestampMillisecond(Some(n), _)
        | ScalarValue::TimestampMicrosecond(Some(n), _) => Some((*n).into()),
        ScalarValue::UInt64(Some(n)) => Some((*n).into()),
        ScalarValue::Date32(Some(n)) => Some((*n).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_holds_the_values_of_both() {
        use DataType::{
            Date32, Decimal128, Decimal256, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8,
            Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
        };
        use TimeUnit::{Microsecond, Millisecond, Nanosecond};
        let dictionary = DataType::Dictionary(Box::new(Int32), Box::new(Utf8));
        for (a, b, both) in [
            (Int32, Int64, Int64),
            (Int8, UInt8, Int16),
            (UInt32, Int32, Int64),
            (UInt16, UInt64, UInt64),
            (UInt64, Int8, Decimal128(20, 0)),
            (Int32, Float32, Float64),
            (Int16, Float32, Float32),
            (Float32, Float64, Float64),
            (Int64, Float64, Float64),
            (Decimal128(9, 2), Decimal128(9, 4), Decimal128(11, 4)),
            (Decimal128(38, 0), Decimal128(38, 10), Decimal256(48, 10)),
            (Decimal128(9, 2), Int64, Decimal128(21, 2)),
            (
                Timestamp(Millisecond, None),
                Timestamp(Nanosecond, None),
                Timestamp(Nanosecond, None),
            ),
            (Date32, Timestamp(Microsecond, None), Timestamp(Microsecond, None)),
            (Time32(Millisecond), Time64(Nanosecond), Time64(Nanosecond)),
            (dictionary, Utf8View, Utf8View),
            (Utf8, LargeUtf8, LargeUtf8),
        ] {
            assert_eq!(common(&a, &b), Some(both.clone()), "{a} {b}");
            assert_eq!(common(&b, &a), Some(both), "{b} {a}");
        }
        for (a, b) in [
            (Utf8View, Int64),
            (Decimal128(9, 2), Float64),
            (Timestamp(Microsecond, None), Timestamp(Microsecond, Some("UTC".into()))),
            (DataType::Boolean, Int8),
        ] {
            assert_eq!(common(&a, &b), None, "{a} {b}");
        }
    }
}
