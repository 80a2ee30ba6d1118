//! What the values of a column are, as far as they have been seen, and the type that holds them
//! all as they were written.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::number::{self, Number};
use super::time::{self, Moment};

/// The most digits of a decimal.
const DECIMAL_DIGITS_MAX: usize = 38;

const BOOLEAN: u16 = 1;
const WHOLE: u16 = 1 << 1;
const FRACTION: u16 = 1 << 2;
/// With an exponent, or no number.
const SCIENTIFIC: u16 = 1 << 3;
/// Digits that are no number: they start with zeros.
const CODE: u16 = 1 << 4;
const DATE: u16 = 1 << 5;
const TIME: u16 = 1 << 6;
const WORD: u16 = 1 << 7;

const NUMBER: u16 = WHOLE | FRACTION | SCIENTIFIC;

/// What is known of the values of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    kinds: u16,
    /// The most digits before the point.
    whole_digits: usize,
    /// The most digits after it.
    fraction_digits: usize,
    /// Of a whole number that has more bits than 64.
    is_large: bool,
    /// A double does not keep the digits of all.
    is_precise: bool,
    /// A time has more digits than microseconds.
    has_nanos: bool,
    /// A time is beyond what nanoseconds reach.
    is_far: bool,
}

impl Evidence {
    pub(super) fn add(&mut self, text: &str) {
        // most columns are words, and no word makes them anything else
        if self.kinds & WORD == 0 {
            self.kinds |= self.kind(text);
        }
    }

    pub(super) fn add_word(&mut self) {
        self.kinds |= WORD;
    }

    pub(super) fn add_boolean(&mut self) {
        self.kinds |= BOOLEAN;
    }

    fn kind(&mut self, text: &str) -> u16 {
        match text.as_bytes() {
            [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..] => self.time(text),
            [b'0'..=b'9' | b'-' | b'.' | b'n' | b'N' | b'i', ..] => self.number(text),
            _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => BOOLEAN,
            _ => WORD,
        }
    }

    fn number(&mut self, text: &str) -> u16 {
        let Some(number) = Number::parse(text) else {
            return match text {
                "NaN" | "nan" | "inf" | "-inf" => SCIENTIFIC,
                _ => WORD,
            };
        };
        if number.is_odd {
            return CODE;
        }
        let kept = number::double(text, true).is_some();
        self.is_precise |= !kept;
        if number.exponent.is_some() {
            return SCIENTIFIC;
        }
        let fraction = number.fraction.len();
        self.whole_digits = self.whole_digits.max(number.whole_digits());
        self.fraction_digits = self.fraction_digits.max(fraction);
        if text.contains('.') {
            return FRACTION;
        }
        let whole = number::whole(text, true).and_then(|n| i64::try_from(n).ok());
        self.is_large |= whole.is_none();
        WHOLE
    }

    fn time(&mut self, text: &str) -> u16 {
        if time::date(text, true).is_some() {
            return DATE;
        }
        let Some(moment) = Moment::parse(text) else { return WORD };
        let Some((_, is_all)) = moment.in_unit(TimeUnit::Microsecond) else { return WORD };
        match moment.in_unit(TimeUnit::Nanosecond) {
            Some((_, true)) => self.has_nanos |= !is_all,
            _ if is_all => self.is_far = true,
            _ => return WORD, // no type has its digits
        }
        TIME
    }

    /// Of the values of both.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            kinds: self.kinds | other.kinds,
            whole_digits: self.whole_digits.max(other.whole_digits),
            fraction_digits: self.fraction_digits.max(other.fraction_digits),
            is_large: self.is_large | other.is_large,
            is_precise: self.is_precise | other.is_precise,
            has_nanos: self.has_nanos | other.has_nanos,
            is_far: self.is_far | other.is_far,
        }
    }

    /// Whether values of both in one column are more likely a mistake than text.
    pub(super) fn conflicts_with(&self, other: &Self) -> bool {
        let both = self.and(other);
        let is_text = |e: &Self| matches!(e.data_type(), DataType::Utf8);
        let is_of_digits = both.kinds & !(NUMBER | CODE) == 0;
        let is_empty = self.kinds == 0 || other.kinds == 0;
        let is_text_anyway = is_text(self) && is_text(other);
        !is_empty && !is_of_digits && is_text(&both) && !is_text_anyway
    }

    /// The narrowest type that holds all; `Null` if there are none.
    pub(super) fn data_type(&self) -> DataType {
        match self.kinds {
            0 => DataType::Null,
            BOOLEAN => DataType::Boolean,
            DATE => DataType::Date32,
            kinds if kinds & !(DATE | TIME) == 0 => match (self.has_nanos, self.is_far) {
                (false, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
                (true, false) => DataType::Timestamp(TimeUnit::Nanosecond, None),
                (true, true) => DataType::Utf8,
            },
            WHOLE if !self.is_large => DataType::Int64,
            kinds if kinds & !NUMBER == 0 => self.wide_number(),
            _ => DataType::Utf8,
        }
    }

    fn wide_number(&self) -> DataType {
        let is_whole = self.kinds == WHOLE;
        if !is_whole && !self.is_precise {
            return DataType::Float64;
        }
        let scale = if is_whole { 0 } else { self.fraction_digits };
        let fits = self.whole_digits + scale <= DECIMAL_DIGITS_MAX && self.kinds & SCIENTIFIC == 0;
        match i8::try_from(scale) {
            Ok(scale) if fits => DataType::Decimal128(38, scale),
            _ => DataType::Utf8,
        }
    }
}

/// The type that holds the values of a column so far and one that does not fit.
pub(crate) fn widened(from: &DataType, text: &str) -> DataType {
    let mut value = Evidence::default();
    value.add(text);
    match (from, value.data_type()) {
        (DataType::Int64, DataType::Int64) => DataType::Utf8, // it fits and was refused: a code
        (DataType::Int64, to @ (DataType::Float64 | DataType::Decimal128(..))) => to,
        (DataType::Float64, DataType::Int64 | DataType::Decimal128(..)) => {
            DataType::Decimal128(38, FRACTIONS_OF_DOUBLES.max(scale(&value)))
        }
        (DataType::Decimal128(_, known), DataType::Float64 | DataType::Decimal128(..))
            if value.kinds & SCIENTIFIC == 0 && scale(&value) > *known =>
        {
            DataType::Decimal128(38, scale(&value))
        }
        (DataType::Date32, to @ DataType::Timestamp(..)) => to,
        (
            DataType::Timestamp(TimeUnit::Microsecond, None),
            to @ DataType::Timestamp(TimeUnit::Nanosecond, _),
        ) => to,
        _ => DataType::Utf8,
    }
}

/// Digits after the point, where those of doubles that were seen are not known any more.
const FRACTIONS_OF_DOUBLES: i8 = 12;

fn scale(value: &Evidence) -> i8 {
    i8::try_from(value.fraction_digits).unwrap_or(i8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(values: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        values.iter().for_each(|v| evidence.add(v));
        evidence
    }

    #[test]
    fn the_narrowest_type_that_keeps_every_digit_is_taken() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        for (values, expected) in [
            (&[][..], DataType::Null),
            (&["true", "False"], DataType::Boolean),
            (&["true", "1"], DataType::Utf8),
            (&["1", "-20"], DataType::Int64),
            (&["9223372036854775807", "0"], DataType::Int64),
            (&["18446744073709551615", "1"], DataType::Decimal128(38, 0)),
            (&["1", "2.5"], DataType::Float64),
            (&["1", "NaN"], DataType::Float64),
            (&["1e5"], DataType::Float64),
            (&["1e400"], DataType::Utf8),
            (&["9007199254740993", "2.5"], DataType::Decimal128(38, 1)),
            (&["123456789012345678.25"], DataType::Decimal128(38, 2)),
            (&["9007199254740993", "1e5"], DataType::Utf8),
            (&[&"9".repeat(39)], DataType::Utf8),
            (&["00501", "10001"], DataType::Utf8),
            (&["-007"], DataType::Utf8),
            (&["00.5"], DataType::Utf8),
            (&["0", "0.5", "-0.5", ".5"], DataType::Float64),
            (&["+5"], DataType::Utf8),
            (&[" 5"], DataType::Utf8),
            (&["2024-01-02"], DataType::Date32),
            (&["2024-02-30"], DataType::Utf8),
            (&["2024-01-02", "2024-01-02 03:04:05"], micros.clone()),
            (&["2024-01-02 03:04:05.123456"], micros.clone()),
            (&["9999-12-31 00:00:00"], micros.clone()),
            (&["2024-01-02 03:04:05.123456000"], micros),
            (&["2024-01-02 03:04:05.123456789"], nanos),
            (&["2024-01-02 03:04:05.123456789", "9999-12-31 00:00:00"], DataType::Utf8),
            (&["2024-01-02 03:04:05.1234567891"], DataType::Utf8),
            (&["2024-01-02", "7"], DataType::Utf8),
            (&["1234-5678"], DataType::Utf8),
            (&["no", "7"], DataType::Utf8),
        ] {
            assert_eq!(evidence(values).data_type(), expected, "{values:?}");
        }
    }

    #[test]
    fn files_conflict_where_one_has_words_and_the_other_has_none() {
        for (a, b, conflict) in [
            ("1", "word", true),
            ("1", "2024-01-02", true),
            ("true", "1", true),
            ("1", "2.5", false),
            ("10001", "00501", false),
            ("2024-01-02", "2024-01-02 03:04:05", false),
            ("word", "other", false),
        ] {
            let (a, b) = (evidence(&[a]), evidence(&[b]));
            assert_eq!(a.conflicts_with(&b), conflict);
            assert_eq!(b.conflicts_with(&a), conflict);
            assert!(!a.conflicts_with(&evidence(&[])));
        }
    }

    #[test]
    fn a_column_is_widened_until_it_is_text() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (from, value, to) in [
            (DataType::Int64, "19.99", DataType::Float64),
            (DataType::Int64, "18446744073709551615", DataType::Decimal128(38, 0)),
            (DataType::Int64, "00501", DataType::Utf8),
            (DataType::Int64, "x", DataType::Utf8),
            (DataType::Float64, "9007199254740993", DataType::Decimal128(38, 12)),
            (DataType::Float64, "90071992547409931.5", DataType::Decimal128(38, 12)),
            (DataType::Decimal128(38, 0), "1.25", DataType::Decimal128(38, 2)),
            (DataType::Decimal128(38, 2), "1e300", DataType::Utf8),
            (DataType::Date32, "2024-01-02 03:04:05", micros.clone()),
            (micros, "x", DataType::Utf8),
        ] {
            assert_eq!(widened(&from, value), to, "{from} {value}");
        }
    }
}
