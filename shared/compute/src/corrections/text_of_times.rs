//! Times as text, as PostgreSQL writes them: `2024-02-29 23:59:59.5`, and of an instant its zone's clock
//! and offset.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{ArrayRef, AsArray, StringArray, TimestampNanosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use datafusion::arrow::temporal_conversions::{as_datetime, as_datetime_with_timezone};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(TextOfTime { signature }))
});

/// The function, for a registry.
pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TextOfTime {
    signature: Signature,
}

impl ScalarUDFImpl for TextOfTime {
    fn name(&self) -> &'static str {
        "text_of_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time] = take_function_args(self.name(), args.args)?;
        let texts = texts(&time.to_array(args.number_rows)?)?;
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}

fn texts(times: &ArrayRef) -> Result<StringArray> {
    let DataType::Timestamp(unit, zone) = times.data_type() else {
        return Err(exec_datafusion_err!("{} is no time", times.data_type()));
    };
    let zone: Option<Tz> = zone.as_ref().map(|z| z.parse()).transpose()?;
    if *unit == TimeUnit::Nanosecond {
        let times: &TimestampNanosecondArray = times.as_primitive::<TimestampNanosecondType>();
        return Ok(times.iter().map(|t| t.and_then(|t| text_of_nanos(t, zone))).collect());
    }
    let zone_name = match times.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let times = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, zone_name))?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    Ok(times.iter().map(|t| t.and_then(|t| text_of_micros(t, zone))).collect())
}

fn text_of_nanos(time: i64, zone: Option<Tz>) -> Option<String> {
    match zone {
        None => as_datetime::<TimestampNanosecondType>(time).map(clock),
        Some(zone) => as_datetime_with_timezone::<TimestampNanosecondType>(time, zone).map(instant),
    }
}

fn text_of_micros(time: i64, zone: Option<Tz>) -> Option<String> {
    match zone {
        None => as_datetime::<TimestampMicrosecondType>(time).map(clock),
        Some(zone) => {
            as_datetime_with_timezone::<TimestampMicrosecondType>(time, zone).map(instant)
        }
    }
}

fn clock(time: chrono::NaiveDateTime) -> String {
    let text = time.format("%Y-%m-%d %H:%M:%S%.9f").to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn instant(time: chrono::DateTime<Tz>) -> String {
    let offset = time.format("%:z").to_string();
    let offset = offset.strip_suffix(":00").unwrap_or(&offset);
    format!("{}{offset}", clock(time.naive_local()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_as_long_as_they_are_and_zones_as_short() {
        assert_eq!(text_of_micros(1_500_000, None).as_deref(), Some("1970-01-01 00:00:01.5"));
        assert_eq!(text_of_nanos(0, None).as_deref(), Some("1970-01-01 00:00:00"));
        let zone = |z: &str| Some(z.parse::<Tz>().expect("a zone"));
        let text = text_of_micros(0, zone("+05:30"));
        assert_eq!(text.as_deref(), Some("1970-01-01 05:30:00+05:30"));
        assert_eq!(text_of_micros(0, zone("+00:00")).as_deref(), Some("1970-01-01 00:00:00+00"));
    }
}
