//! Columns from texts: each value whole, or none of them.

use std::sync::Arc;

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::number::{self, Number};
use super::time::{self, Moment};

/// A value that its column cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The column and what in it.
    pub(crate) column: String,
    pub(crate) value: String,
    pub(crate) data_type: DataType,
    /// It was inferred, so that it may be wider; else it was declared.
    pub(crate) inferred: bool,
}

/// How many letters of a value are shown.
const SHOWN_CHARS_MAX: usize = 100;

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { column, value, data_type, .. } = self;
        let shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
        let more = if shown.len() < value.len() { "…" } else { "" };
        let article = if self.inferred { "so far a" } else { "a" };
        write!(f, "column {column} is {article} {}, and '{shown}{more}' is not", name(data_type))
    }
}

/// What SQL calls a type.
fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "bigint".into(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            "number without a sign".into()
        }
        DataType::Float32 => "real".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => format!("decimal({p}, {s})"),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Time32(_) | DataType::Time64(_) => "time".into(),
        other => other.to_string(),
    }
}

/// The columns that are made from text here: others are left to the reader.
pub(super) fn is_converted(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, Some(zone)) => zone.parse::<Tz>().is_ok(),
        other => {
            other.is_integer()
                || other.is_floating() && !matches!(other, DataType::Float16)
                || matches!(other, DataType::Boolean | DataType::Date32)
                || matches!(other, DataType::Decimal128(..) | DataType::Decimal256(..))
                || matches!(other, DataType::Timestamp(..))
                || matches!(other, DataType::Time32(_) | DataType::Time64(_))
                || is_text(other)
        }
    }
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The values of a column, by row; a row without one is null.
pub(super) struct Texts<F> {
    pub(super) rows: usize,
    pub(super) get: F,
    /// The type was inferred from other values: codes that look like numbers do not fit it.
    pub(super) inferred: bool,
}

impl<'a, F: Fn(usize) -> Option<&'a str>> Texts<F> {
    /// A column of one type; the error is the first value that does not fit.
    pub(super) fn column(&self, data_type: &DataType) -> Result<ArrayRef, &'a str> {
        let inferred = self.inferred;
        match data_type {
            DataType::Utf8 => Ok(Arc::new(self.iter().collect::<StringArray>())),
            DataType::LargeUtf8 => Ok(Arc::new(self.iter().collect::<LargeStringArray>())),
            DataType::Utf8View => Ok(Arc::new(self.iter().collect::<StringViewArray>())),
            DataType::Boolean => self.booleans(),
            integer if integer.is_integer() => self.integers(integer),
            DataType::Float32 => self.primitive::<Float32Type>(data_type, number::float),
            DataType::Float64 => {
                self.primitive::<Float64Type>(data_type, |t| number::double(t, inferred))
            }
            DataType::Decimal128(precision, scale) => {
                self.primitive::<Decimal128Type>(data_type, |t| {
                    let (value, exact) = self.number(t)?.decimal(*precision, *scale)?;
                    (exact || !inferred).then_some(value)
                })
            }
            DataType::Decimal256(precision, scale) => self
                .primitive::<Decimal256Type>(data_type, |t| {
                    self.number(t)?.wide_decimal(*precision, *scale).map(|(value, _)| value)
                }),
            DataType::Date32 => {
                self.primitive::<Date32Type>(data_type, |t| time::date(t, inferred))
            }
            DataType::Timestamp(unit, zone) => self.timestamps(data_type, *unit, zone.as_deref()),
            DataType::Time32(unit) | DataType::Time64(unit) => self.times(data_type, *unit),
            other => self.others(other),
        }
    }

    fn integers(&self, data_type: &DataType) -> Result<ArrayRef, &'a str> {
        macro_rules! whole {
            ($type:ty) => {
                self.primitive::<$type>(data_type, |text| {
                    number::whole(text, self.inferred)?.try_into().ok()
                })
            };
        }
        match data_type {
            DataType::Int8 => whole!(Int8Type),
            DataType::Int16 => whole!(Int16Type),
            DataType::Int32 => whole!(Int32Type),
            DataType::UInt8 => whole!(UInt8Type),
            DataType::UInt16 => whole!(UInt16Type),
            DataType::UInt32 => whole!(UInt32Type),
            DataType::UInt64 => whole!(UInt64Type),
            _ => whole!(Int64Type),
        }
    }

    fn times(&self, data_type: &DataType, unit: TimeUnit) -> Result<ArrayRef, &'a str> {
        let time = |text: &str| Moment::time_of_day(text)?.in_unit_of_day(unit);
        let short = |text: &str| i32::try_from(time(text)?).ok();
        match unit {
            TimeUnit::Second => self.primitive::<Time32SecondType>(data_type, short),
            TimeUnit::Millisecond => self.primitive::<Time32MillisecondType>(data_type, short),
            TimeUnit::Microsecond => self.primitive::<Time64MicrosecondType>(data_type, time),
            TimeUnit::Nanosecond => self.primitive::<Time64NanosecondType>(data_type, time),
        }
    }

    /// Of a type that texts are cast to as in SQL.
    fn others(&self, data_type: &DataType) -> Result<ArrayRef, &'a str> {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let texts = self.iter().collect::<StringArray>();
        let first = self.iter().flatten().next().unwrap_or_default();
        cast_with_options(&texts, data_type, &options).map_err(|_| first)
    }

    fn iter(&self) -> impl Iterator<Item = Option<&'a str>> {
        (0..self.rows).map(|row| (self.get)(row))
    }

    fn number<'b>(&self, text: &'b str) -> Option<Number<'b>> {
        Number::parse(text).filter(|n| !(self.inferred && n.is_odd))
    }

    /// A value; around those of a declared column may be spaces.
    fn value<T>(&self, text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let trimmed = || Some(text.trim_ascii()).filter(|t| !self.inferred && t.len() < text.len());
        parse(text).or_else(|| trimmed().and_then(&parse))
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        data_type: &DataType,
        parse: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef, &'a str> {
        let mut builder = PrimitiveArray::<T>::builder(self.rows).with_data_type(data_type.clone());
        for text in self.iter() {
            match text {
                None => builder.append_null(),
                Some(text) => builder.append_value(self.value(text, &parse).ok_or(text)?),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    fn booleans(&self) -> Result<ArrayRef, &'a str> {
        let parse = |text: &str| boolean(text, self.inferred);
        let value = |text: Option<&'a str>| {
            text.map(|text| self.value(text, parse).ok_or(text)).transpose()
        };
        let values: Result<BooleanArray, _> = self.iter().map(value).collect();
        Ok(Arc::new(values?))
    }

    fn timestamps(
        &self,
        data_type: &DataType,
        unit: TimeUnit,
        zone: Option<&str>,
    ) -> Result<ArrayRef, &'a str> {
        let zone = zone.and_then(|zone| zone.parse::<Tz>().ok());
        let parse = |text: &str| {
            let moment = match &zone {
                None => Moment::parse(text)?,
                Some(zone) => Moment::in_zone(text, zone)?,
            };
            let (value, exact) = moment.in_unit(unit)?;
            (exact || !self.inferred).then_some(value)
        };
        match unit {
            TimeUnit::Second => self.primitive::<TimestampSecondType>(data_type, parse),
            TimeUnit::Millisecond => self.primitive::<TimestampMillisecondType>(data_type, parse),
            TimeUnit::Microsecond => self.primitive::<TimestampMicrosecondType>(data_type, parse),
            TimeUnit::Nanosecond => self.primitive::<TimestampNanosecondType>(data_type, parse),
        }
    }
}

/// Declared columns take what SQL does for a boolean.
fn boolean(text: &str, inferred: bool) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true"]) || !inferred && is(&["t", "yes", "y", "on", "1"]) {
        return Some(true);
    }
    (is(&["false"]) || !inferred && is(&["f", "no", "n", "off", "0"])).then_some(false)
}

/// The texts of an array of them.
pub(super) fn of_array<'a>(
    array: &'a StringArray,
    inferred: bool,
) -> Texts<impl Fn(usize) -> Option<&'a str>> {
    let get = move |row| array.is_valid(row).then(|| array.value(row));
    Texts { rows: array.len(), get, inferred }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::compute::cast;

    use super::*;

    fn converted(
        values: &[&str],
        data_type: &DataType,
        inferred: bool,
    ) -> Result<Vec<String>, String> {
        let array = StringArray::from(values.to_vec());
        let column = of_array(&array, inferred).column(data_type).map_err(str::to_owned)?;
        assert_eq!(column.data_type(), data_type);
        let texts = cast(&column, &DataType::Utf8).expect("texts");
        let texts = texts.as_any().downcast_ref::<StringArray>().expect("texts").clone();
        Ok(texts.iter().map(|t| t.unwrap_or("∅").to_owned()).collect())
    }

    #[test]
    fn declared_columns_take_what_sql_takes() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (value, data_type, expected) in [
            ("1.239", DataType::Decimal128(9, 2), Ok("1.24")),
            ("12345678.00", DataType::Decimal128(9, 2), Err("12345678.00")),
            (" 7 ", DataType::Int32, Ok("7")),
            ("007", DataType::Int32, Ok("7")),
            ("2147483648", DataType::Int32, Err("2147483648")),
            ("-1", DataType::UInt8, Err("-1")),
            ("19.99", DataType::Int64, Err("19.99")),
            ("yes", DataType::Boolean, Ok("true")),
            ("2024-01-02 03:04:05", DataType::Date32, Err("2024-01-02 03:04:05")),
            ("2024-01-02 03:04:05.1234567", micros.clone(), Ok("2024-01-02T03:04:05.123457")),
            ("2024-01-02", micros, Ok("2024-01-02T00:00:00")),
            ("03:04:05.5", DataType::Time64(TimeUnit::Nanosecond), Ok("03:04:05.500")),
            ("24:00:00", DataType::Time64(TimeUnit::Nanosecond), Err("24:00:00")),
        ] {
            let expected = expected.map(|t| vec![t.to_owned()]).map_err(str::to_owned);
            assert_eq!(converted(&[value], &data_type, false), expected, "{value} {data_type}");
        }
    }

    #[test]
    fn inferred_columns_take_nothing_that_would_be_changed() {
        for (value, data_type) in [
            ("00501", DataType::Int64),
            ("+5", DataType::Int64),
            (" 5", DataType::Int64),
            ("1.25", DataType::Decimal128(38, 1)),
            ("9007199254740993", DataType::Float64),
            ("2024-01-02 00:00:00", DataType::Date32),
            ("2024-01-02 00:00:00.1234567", DataType::Timestamp(TimeUnit::Microsecond, None)),
            ("yes", DataType::Boolean),
        ] {
            let expected = Err(value.to_owned());
            assert_eq!(converted(&[value], &data_type, true), expected, "{value} {data_type}");
        }
    }

    #[test]
    fn times_without_a_zone_are_those_of_the_column() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("+02:00".into()));
        let array = StringArray::from(vec!["2024-01-02 03:04:05", "2024-01-02 01:04:05Z"]);
        let column = of_array(&array, false).column(&zoned).expect("times");
        let values = cast(&column, &DataType::Int64).expect("numbers");
        let values = values.as_any().downcast_ref::<PrimitiveArray<Int64Type>>().expect("numbers");
        assert_eq!(values.value(0), values.value(1));
    }
}
