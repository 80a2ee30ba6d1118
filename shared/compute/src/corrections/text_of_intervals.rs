//! Intervals as text, as PostgreSQL writes them: `1 year 2 mons 3 days 04:05:06.5`.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

const MONTHS_PER_YEAR: i32 = 12;
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(TextOfInterval { signature }))
});

/// The function, for a registry.
pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextOfInterval {
    signature: Signature,
}

impl ScalarUDFImpl for TextOfInterval {
    fn name(&self) -> &'static str {
        "text_of_interval"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [interval] = take_function_args(self.name(), args.args)?;
        let texts = texts(&interval.to_array(args.number_rows)?)?;
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}

/// One text for each interval of a column.
///
/// # Errors
/// The column is not of intervals.
pub(crate) fn texts(intervals: &ArrayRef) -> Result<StringArray, ArrowError> {
    let intervals = cast(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    Ok(intervals.iter().map(|interval| interval.map(text)).collect())
}

fn text(interval: IntervalMonthDayNano) -> String {
    let (years, months) = (interval.months / MONTHS_PER_YEAR, interval.months % MONTHS_PER_YEAR);
    let (mut text, mut is_after_negative) = (String::new(), false);
    for (value, unit) in [(years, "year"), (months, "mon"), (interval.days, "day")] {
        if value == 0 {
            continue;
        }
        let space = if text.is_empty() { "" } else { " " };
        let sign = if is_after_negative && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        // writing to a text does not fail
        let _ = write!(text, "{space}{sign}{value} {unit}{plural}");
        is_after_negative = value < 0;
    }
    if interval.nanoseconds == 0 && !text.is_empty() {
        return text;
    }
    let total = interval.nanoseconds.unsigned_abs();
    let (seconds, fraction) = (total / NANOSECONDS_PER_SECOND, total % NANOSECONDS_PER_SECOND);
    let sign = match interval.nanoseconds {
        n if n < 0 => "-",
        _ if is_after_negative => "+",
        _ => "",
    };
    let space = if text.is_empty() { "" } else { " " };
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let _ = write!(text, "{space}{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if fraction > 0 {
        let _ = write!(text, ".{}", format!("{fraction:09}").trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_written_as_postgresql_writes_it() {
        let hour = 3600 * 1_000_000_000;
        for (interval, written) in [
            ((0, 0, 0), "00:00:00"),
            ((14, 3, 4 * hour + 500_000_000), "1 year 2 mons 3 days 04:00:00.5"),
            ((-1, 0, 0), "-1 mons"),
            ((0, -1, -2 * hour), "-1 days -02:00:00"),
            ((-1, 2, 0), "-1 mons +2 days"),
            ((0, -1, hour), "-1 days +01:00:00"),
            ((0, 0, 100 * hour), "100:00:00"),
        ] {
            let (months, days, nanoseconds) = interval;
            assert_eq!(text(IntervalMonthDayNano::new(months, days, nanoseconds)), written);
        }
    }
}
