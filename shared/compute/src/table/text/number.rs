//! Numbers as they are written: what is taken for a number keeps its digits.

use datafusion::arrow::datatypes::i256;

/// The most digits of which a double holds any.
const DOUBLE_DIGITS_MAX: usize = 15;

/// The most digits that a double is written with.
const WRITTEN_DIGITS_MAX: usize = 17;

/// Beyond it, no column has a type for an exponent.
const EXPONENT_MAX: i32 = 10_000;

/// The parts of a number in decimal digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    pub(super) negative: bool,
    /// Before the point.
    pub(super) whole: &'a [u8],
    /// After the point.
    pub(super) fraction: &'a [u8],
    pub(super) exponent: Option<i32>,
    /// It starts with `+`, or with a zero that says nothing: a code or a telephone number.
    pub(super) is_odd: bool,
}

impl<'a> Number<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (sign, rest) = match bytes.first()? {
            b @ (b'-' | b'+') => (Some(*b), &bytes[1..]),
            _ => (None, bytes),
        };
        let (whole, rest) = digits(rest);
        let (fraction, rest) = match rest.strip_prefix(b".") {
            Some(rest) => digits(rest),
            None => (&rest[..0], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => None,
            [b'e' | b'E', power @ ..] => Some(exponent(power)?),
            _ => return None,
        };
        let is_odd = sign == Some(b'+') || (whole.len() > 1 && whole[0] == b'0');
        Some(Self { negative: sign == Some(b'-'), whole, fraction, exponent, is_odd })
    }

    fn digits(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }

    /// Digits from the first that is no zero to the last.
    fn significant(&self) -> usize {
        let all = self.whole.len() + self.fraction.len();
        let before = self.digits().take_while(|d| *d == b'0').count();
        let after = self.digits().rev().take_while(|d| *d == b'0').count();
        all.saturating_sub(before + after)
    }

    /// Digits before the point that say something.
    pub(super) fn whole_digits(&self) -> usize {
        self.whole.len() - self.whole.iter().take_while(|d| **d == b'0').count()
    }

    /// Gives the digits of the number times `10^scale`; whether what follows them rounds up, and
    /// whether nothing follows. None if there are too many.
    fn scale(&self, scale: i32, mut push: impl FnMut(u8) -> Option<()>) -> Option<(bool, bool)> {
        let whole = i32::try_from(self.whole.len()).ok()?;
        let wanted = whole.checked_add(self.exponent.unwrap_or(0))?.checked_add(scale)?;
        let mut digits = self.digits();
        for _ in 0..wanted {
            push(digits.next().unwrap_or(b'0') - b'0')?;
        }
        let mut rest = digits.peekable();
        let rounds_up = wanted >= 0 && rest.peek().is_some_and(|d| *d >= b'5');
        Some((rounds_up, rest.all(|d| d == b'0')))
    }

    /// The number times `10^scale`, with halves away from zero, and whether that is all of it; none
    /// if it has more digits than `precision`.
    pub(super) fn decimal(&self, precision: u8, scale: i8) -> Option<(i128, bool)> {
        let mut value: i128 = 0;
        let push = |digit: u8| {
            value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
            Some(())
        };
        let (rounds_up, exact) = self.scale(scale.into(), push)?;
        value = value.checked_add(rounds_up.into())?;
        let fits = 10_i128.checked_pow(precision.into()).is_none_or(|limit| value < limit);
        fits.then_some((if self.negative { -value } else { value }, exact))
    }

    /// The same of up to 76 digits.
    pub(super) fn wide_decimal(&self, precision: u8, scale: i8) -> Option<(i256, bool)> {
        let mut value = i256::ZERO;
        let ten = i256::from_i128(10);
        let push = |digit: u8| {
            value = value.checked_mul(ten)?.checked_add(i256::from_i128(digit.into()))?;
            Some(())
        };
        let (rounds_up, exact) = self.scale(scale.into(), push)?;
        value = value.checked_add(i256::from_i128(rounds_up.into()))?;
        let fits = ten.checked_pow(precision.into()).is_none_or(|limit| value < limit);
        fits.then_some((if self.negative { value.wrapping_neg() } else { value }, exact))
    }
}

fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().take_while(|b| b.is_ascii_digit()).count())
}

fn exponent(power: &[u8]) -> Option<i32> {
    let (negative, power) = match power {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, power),
    };
    let (digits, []) = digits(power) else { return None };
    if digits.is_empty() {
        return None;
    }
    let add = |n: i32, d: &u8| (10 * n + i32::from(d - b'0')).min(EXPONENT_MAX);
    let value = digits.iter().fold(0, add);
    Some(if negative { -value } else { value })
}

/// A whole number; a fraction of zeros is none.
pub(super) fn whole(text: &str, inferred: bool) -> Option<i128> {
    if let Some(value) = few_digits(text.as_bytes()) {
        return Some(value.into());
    }
    let number = Number::parse(text)?;
    if inferred && (number.is_odd || number.exponent.is_some()) {
        return None;
    }
    number.decimal(38, 0).filter(|(_, exact)| *exact).map(|(value, _)| value)
}

/// Most whole numbers: up to 18 digits, the first of which is no zero.
fn few_digits(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let fits = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.len() <= 18;
    if !fits {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = 10 * value + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// A double; none if it is too large or too small for one, or if, in an inferred column, it has
/// digits that a double does not keep.
pub(super) fn double(text: &str, inferred: bool) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    if (value.is_infinite() || value == 0.0) && !is_as_written(text, value) {
        return None;
    }
    if !inferred {
        return Some(value);
    }
    let bytes = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_odd = matches!(bytes, [b'+', ..] | [b'0', b'0'..=b'9', ..]);
    let keeps_digits = text.len() <= DOUBLE_DIGITS_MAX || keeps_digits(text, value);
    (!is_odd && keeps_digits).then_some(value)
}

/// The same of 32 bits, which is never inferred.
pub(super) fn float(text: &str) -> Option<f32> {
    let value: f32 = text.parse().ok()?;
    let is_extreme = value.is_infinite() || value == 0.0;
    (!is_extreme || is_as_written(text, value.into())).then_some(value)
}

/// Whether what became infinite or zero is written so.
fn is_as_written(text: &str, value: f64) -> bool {
    match Number::parse(text) {
        Some(number) => value == 0.0 && number.digits().all(|d| d == b'0'),
        None => value.is_infinite(),
    }
}

/// Whether a number and the double next to it are written with the same digits.
fn keeps_digits(text: &str, value: f64) -> bool {
    let Some(number) = Number::parse(text) else { return true }; // NaN
    if number.exponent.is_none() && number.fraction.iter().all(|d| *d == b'0') {
        return number.whole_digits() <= DOUBLE_DIGITS_MAX
            || number.decimal(38, 0).is_some_and(|(whole, _)| is_whole(value, whole));
    }
    number.significant() <= WRITTEN_DIGITS_MAX
}

fn is_whole(value: f64, whole: i128) -> bool {
    format!("{value:.0}").parse() == Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str, precision: u8, scale: i8) -> Option<(i128, bool)> {
        Number::parse(text)?.decimal(precision, scale)
    }

    #[test]
    fn decimals_are_rounded_half_away_from_zero_and_never_cut() {
        assert_eq!(decimal("1.239", 9, 2), Some((124, false)));
        assert_eq!(decimal("1.235", 9, 2), Some((124, false)));
        assert_eq!(decimal("-1.235", 9, 2), Some((-124, false)));
        assert_eq!(decimal("1.2349", 9, 2), Some((123, false)));
        assert_eq!(decimal("1.2300", 9, 2), Some((123, true)));
        assert_eq!(decimal("0.005", 9, 2), Some((1, false)));
        assert_eq!(decimal("0.0005", 9, 2), Some((0, false)));
        assert_eq!(decimal("9.995", 3, 2), None);
        assert_eq!(decimal("12345678", 9, 2), None);
        assert_eq!(decimal("1.5e3", 9, 2), Some((150_000, true)));
        assert_eq!(decimal("15e-3", 9, 2), Some((2, false)));
        assert_eq!(decimal("5e-4", 9, 2), Some((0, false)));
        assert_eq!(decimal("1e9999", 38, 0), None);
        assert_eq!(decimal("0e9999", 38, 0), Some((0, true)));
        assert_eq!(decimal("7", 9, -1), Some((1, false)));
        let most = "9".repeat(38);
        assert_eq!(decimal(&most, 38, 0).map(|d| d.0.to_string()), Some(most.clone()));
        assert_eq!(decimal(&format!("{most}0"), 38, 0), None);
        let wide = Number::parse("-123456789012345678901234567890123456789.5").expect("a number");
        let wide = wide.wide_decimal(50, 0).map(|(d, exact)| (d.to_string(), exact));
        assert_eq!(wide, Some(("-123456789012345678901234567890123456790".into(), false)));
    }

    #[test]
    fn whole_numbers_have_no_fraction_but_zeros() {
        for (text, declared, inferred) in [
            ("10", Some(10), Some(10)),
            ("-10", Some(-10), Some(-10)),
            ("10.0", Some(10), Some(10)),
            ("10.5", None, None),
            ("1e2", Some(100), None),
            ("+5", Some(5), None),
            ("00501", Some(501), None),
            ("0", Some(0), Some(0)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615), Some(u64::MAX.into())),
            ("", None, None),
            ("-", None, None),
            (" 5", None, None),
            ("5x", None, None),
            ("0x10", None, None),
            ("1_000", None, None),
        ] {
            assert_eq!((whole(text, false), whole(text, true)), (declared, inferred), "{text}");
        }
    }

    #[test]
    fn doubles_that_do_not_keep_the_digits_are_none_where_they_are_inferred() {
        for (text, is_kept) in [
            ("0.1", true),
            ("19.99", true),
            ("-0.30000000000000004", true),
            ("9007199254740993", false),
            ("9007199254740992", true),
            ("123456789012345678", false),
            ("100000000000000000000", true),
            ("0.1234567890123456789", false),
            ("1e300", true),
            ("00.5", false),
            ("+5.5", false),
            ("NaN", true),
            ("-inf", true),
        ] {
            assert_eq!(double(text, true).is_some(), is_kept, "{text}");
            assert!(double(text, false).is_some(), "{text}");
        }
        for text in ["1e400", "-1e400", "1e-400", "x", ""] {
            assert_eq!(double(text, false), None, "{text}");
        }
        assert!(double("0.000", false).is_some() && float("1e39").is_none());
    }
}
