//! Dates and times as they are written, with all of their digits.

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use datafusion::arrow::datatypes::{Date32Type, TimeUnit};

const SECONDS_PER_DAY: i64 = 86_400;

const NANOSECONDS_PER_SECOND: i128 = 1_000_000_000;

/// A point in time, or a time of a day, in seconds and the digits of a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Since 1970-01-01, or midnight.
    seconds: i64,
    nanos: u32,
    /// Whether the digits after the nanoseconds round up, and whether there are none but zeros.
    rest: (bool, bool),
    /// Whether it says more than a day.
    pub(super) has_time: bool,
}

impl Moment {
    /// `2024-01-02`, then maybe a time: ` 03:04:05.678`, and a zone: `Z`, `+02:00`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let seconds = SECONDS_PER_DAY * i64::from(days(bytes.get(..10)?)?);
        let (b' ' | b'T' | b't') = bytes.get(10).copied().unwrap_or(b' ') else { return None };
        if bytes.len() == 10 {
            let rest = (false, true);
            return Some(Self { seconds, nanos: 0, rest, has_time: false });
        }
        let (of_day, zone) = Self::of_day(&bytes[11..])?;
        let seconds = seconds + of_day.seconds - zone_seconds(zone)?;
        Some(Self { seconds, has_time: true, ..of_day })
    }

    /// `03:04` or `03:04:05.678`, and what comes after it.
    fn of_day(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (hour, minute) = (two(bytes)?, two(bytes.get(3..)?)?);
        let mut rest = &bytes[5..];
        let mut second = 0;
        if let Some(after) = rest.strip_prefix(b":") {
            (second, rest) = (two(after)?, &after[2..]);
        }
        if bytes[2] != b':' || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut moment = Self {
            seconds: 3600 * hour + 60 * minute + second,
            nanos: 0,
            rest: (false, true),
            has_time: true,
        };
        if let Some(after) = rest.strip_prefix(b".") {
            let count = after.iter().take_while(|b| b.is_ascii_digit()).count();
            if count == 0 {
                return None;
            }
            let (digits, left) = after.split_at(count);
            rest = left;
            let digit = |n: usize| digits.get(n).map_or(0, |d| u32::from(d - b'0'));
            moment.nanos = (0..9).fold(0, |nanos, n| 10 * nanos + digit(n));
            let beyond = digits.get(9..).unwrap_or_default();
            moment.rest = (digit(9) >= 5, beyond.iter().all(|d| *d == b'0'));
        }
        Some((moment, rest))
    }

    /// `03:04:05.678` and nothing else.
    pub(super) fn time_of_day(text: &str) -> Option<Self> {
        Self::of_day(text.as_bytes()).filter(|(_, rest)| rest.is_empty()).map(|(time, _)| time)
    }

    /// In what `zone` calls it, if it does not name another.
    pub(super) fn in_zone(text: &str, zone: &Tz) -> Option<Self> {
        // what is beyond nanoseconds is not read by the parser
        let run = |digits: &str| digits.bytes().take_while(u8::is_ascii_digit).count();
        if text.split_once('.').is_some_and(|(_, digits)| run(digits) > 9) {
            return None;
        }
        let found = string_to_datetime(zone, text).ok()?;
        let nanos = found.timestamp_subsec_nanos();
        Some(Self { seconds: found.timestamp(), nanos, rest: (false, true), has_time: true })
    }

    /// In a unit, with halves up, and whether that is all of it; none if it is out of range.
    pub(super) fn in_unit(&self, unit: TimeUnit) -> Option<(i64, bool)> {
        let step: i128 = match unit {
            TimeUnit::Second => NANOSECONDS_PER_SECOND,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1,
        };
        let nanos = i128::from(self.seconds) * NANOSECONDS_PER_SECOND + i128::from(self.nanos);
        let (value, left) = (nanos.div_euclid(step), nanos.rem_euclid(step));
        let (rounds_up, is_all) = self.rest;
        let up = if step == 1 { rounds_up } else { 2 * left >= step };
        let value = i64::try_from(value + i128::from(up)).ok()?;
        Some((value, left == 0 && is_all))
    }

    /// The time of a day in a unit: rounding does not lead into the next.
    pub(super) fn in_unit_of_day(&self, unit: TimeUnit) -> Option<i64> {
        let (nanos, rest) = (0, (false, true));
        let day = Self { seconds: SECONDS_PER_DAY, nanos, rest, ..*self }.in_unit(unit)?.0;
        self.in_unit(unit).map(|(value, _)| value).filter(|value| *value < day)
    }
}

/// The days since 1970-01-01 of a date; a time of the day is none, unless it is midnight and the
/// column is not inferred.
pub(super) fn date(text: &str, inferred: bool) -> Option<i32> {
    if let Some(days) = days(text.as_bytes()) {
        return Some(days);
    }
    if inferred {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'+') {
        return Date32Type::parse(text); // years of more digits, months of fewer
    }
    let (seconds, is_all) = Moment::parse(text)?.in_unit(TimeUnit::Second)?;
    let is_midnight = is_all && seconds % SECONDS_PER_DAY == 0;
    i32::try_from(seconds / SECONDS_PER_DAY).ok().filter(|_| is_midnight)
}

/// The days since 1970-01-01 of `2024-01-02`.
fn days(bytes: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let (century, year) = (two(&[*y1, *y2])?, two(&[*y3, *y4])?);
    let (year, month, day) = (100 * century + year, two(&[*m1, *m2])?, two(&[*d1, *d2])?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    // years that begin in March, so that the day of a leap year is the last of its year
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    i32::try_from(days).ok()
}

/// The number that two digits start with.
fn two(bytes: &[u8]) -> Option<i64> {
    let [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] = bytes else { return None };
    Some(i64::from(10 * (a - b'0') + (b - b'0')))
}

/// How far a zone's clocks are ahead: of nothing, `Z`, `+02`, `+0200`, `+02:00`.
fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let zone = zone.strip_prefix(b" ").unwrap_or(zone);
    let (sign, rest) = match zone {
        [] | [b'Z' | b'z'] | b"UTC" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let minutes = match rest.get(2..)? {
        [] => 0,
        [b':', minutes @ ..] | minutes if minutes.len() == 2 => two(minutes)?,
        _ => return None,
    };
    Some(sign * (3600 * two(rest)? + 60 * minutes))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

    use super::*;

    #[test]
    fn moments_are_those_of_the_parser_of_arrow() {
        for text in [
            "1970-01-01 00:00:00",
            "2024-02-29T23:59:59",
            "1969-12-31 23:59:59.5",
            "1900-03-01 00:00:00",
            "2000-02-29 12:34:56.789012345",
            "2024-01-02 03:04:05Z",
            "2024-01-02T03:04:05.5+02:00",
            "2024-01-02 03:04:05-0730",
            "2024-01-02",
            "1677-09-22 00:00:00",
        ] {
            let ours = Moment::parse(text).expect(text).in_unit(TimeUnit::Nanosecond);
            let theirs = string_to_timestamp_nanos(text).expect(text);
            assert_eq!(ours, Some((theirs, true)), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut last = days(b"1899-12-31").expect("a date");
        for year in 1900..2300 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(next) = days(format!("{year}-{month:02}-{day:02}").as_bytes()) {
                        assert_eq!(next, last + 1, "{year}-{month}-{day}");
                        last = next;
                    }
                }
            }
        }
        assert_eq!(days(b"9999-12-31"), Some(2_932_896));
        assert_eq!(days(b"0001-01-01"), Some(-719_162));
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in [
            "2024-02-30 00:00:00",
            "2024-13-01",
            "2024-01-02 25:00:00",
            "2024-01-02 03:04:60",
            "2024-01-02 03:04:05.",
            "2024-01-02 03:04:05 and more",
            "2024-01-02x03:04:05",
            "2024-01-02 ",
            "24-01-02",
            "2024-01-02 03:04:05+2",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn fractions_are_rounded_and_said_to_be() {
        let micros = |text| Moment::parse(text).expect(text).in_unit(TimeUnit::Microsecond);
        assert_eq!(micros("1970-01-01 00:00:00.1234565"), Some((123_457, false)));
        assert_eq!(micros("1970-01-01 00:00:00.1234564"), Some((123_456, false)));
        assert_eq!(micros("1970-01-01 00:00:00.123456000"), Some((123_456, true)));
        assert_eq!(micros("1969-12-31 23:59:59.9999996"), Some((0, false)));
        let far = Moment::parse("9999-12-31 00:00:00").expect("a time");
        assert!(far.in_unit(TimeUnit::Microsecond).is_some());
        assert_eq!(far.in_unit(TimeUnit::Nanosecond), None);
        let late = Moment::time_of_day("23:59:59.9").expect("a time");
        assert_eq!(late.in_unit_of_day(TimeUnit::Second), None);
    }

    #[test]
    fn a_date_has_no_time_of_day() {
        assert_eq!(date("2024-01-02 03:04:05", false), None);
        assert_eq!(date("2024-01-02 00:00:00", false), date("2024-01-02", true));
        assert_eq!(date("2024-01-02 00:00:00", true), None);
        assert_eq!(date("2024-1-2", false), date("2024-01-02", true));
        assert_eq!(date("2024-02-30", false), None);
    }
}
