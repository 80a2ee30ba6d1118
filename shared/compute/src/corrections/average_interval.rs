//! `avg` of intervals, which DataFusion 55.2 does not have: what is left of a month becomes days of 30 to
//! the month, and what is left of a day becomes hours, as in PostgreSQL.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::canonical::NANOSECONDS_PER_DAY;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const SUM: DataType = DataType::Decimal128(38, 0);
const DAYS_PER_MONTH: i64 = 30;
const NANOSECONDS_PER_MICROSECOND: i128 = 1_000;

static FUNCTION: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    let signature = Signature::exact(vec![INTERVAL], Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(AverageInterval { signature }))
});

/// The function.
pub(super) fn function() -> Arc<AggregateUDF> {
    FUNCTION.clone()
}

/// Puts it where fragments find it.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udaf(function())?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AverageInterval {
    signature: Signature,
}

impl AggregateUDFImpl for AverageInterval {
    fn name(&self) -> &'static str {
        "average_interval"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |what, data_type| {
            Arc::new(Field::new(format_state_name(args.name, what), data_type, true))
        };
        let count = DataType::Int64;
        Ok(vec![
            field("count", count.clone()),
            field("months", count.clone()),
            field("days", count),
            field("nanoseconds", SUM),
        ])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sums::default()))
    }
}

#[derive(Debug, Default)]
struct Sums {
    count: i64,
    months: i64,
    days: i64,
    nanoseconds: i128,
}

impl Sums {
    fn add(&mut self, interval: IntervalMonthDayNano, sign: i64) {
        self.count += sign;
        self.months += sign * i64::from(interval.months);
        self.days += sign * i64::from(interval.days);
        self.nanoseconds += i128::from(sign) * i128::from(interval.nanoseconds);
    }

    /// As PostgreSQL's `interval_div`.
    fn average(&self) -> Result<IntervalMonthDayNano> {
        let n = self.count;
        let days_of_months = self.months % n * DAYS_PER_MONTH;
        let parts_of_days = self.days % n + days_of_months % n;
        let days = self.days / n + days_of_months / n + parts_of_days / n;
        let rest = i128::from(parts_of_days % n) * i128::from(NANOSECONDS_PER_DAY);
        let unit = NANOSECONDS_PER_MICROSECOND * i128::from(n);
        let total = rest + self.nanoseconds;
        let microseconds = (total + total.signum() * unit / 2) / unit;
        let fields = (
            i32::try_from(self.months / n),
            i32::try_from(days),
            i64::try_from(microseconds * NANOSECONDS_PER_MICROSECOND),
        );
        match fields {
            (Ok(months), Ok(days), Ok(nanoseconds)) => {
                Ok(IntervalMonthDayNano::new(months, days, nanoseconds))
            }
            _ => exec_err!("an average of intervals is too long"),
        }
    }
}

impl Accumulator for Sums {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let intervals = values[0].as_primitive::<IntervalMonthDayNanoType>();
        intervals.iter().flatten().for_each(|i| self.add(i, 1));
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let intervals = values[0].as_primitive::<IntervalMonthDayNanoType>();
        intervals.iter().flatten().for_each(|i| self.add(i, -1));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let average = if self.count > 0 { Some(self.average()?) } else { None };
        Ok(ScalarValue::IntervalMonthDayNano(average))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let number = |n| ScalarValue::Int64(Some(n));
        Ok(vec![
            number(self.count),
            number(self.months),
            number(self.days),
            ScalarValue::Decimal128(Some(self.nanoseconds), 38, 0),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sum = |n: usize| states[n].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        self.count += sum(0);
        self.months += sum(1);
        self.days += sum(2);
        self.nanoseconds +=
            states[3].as_primitive::<Decimal128Type>().iter().flatten().sum::<i128>();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_month_and_of_a_day_goes_on() {
        let average = |intervals: &[(i32, i32, i64)]| {
            let mut sums = Sums::default();
            for (months, days, nanoseconds) in intervals {
                sums.add(IntervalMonthDayNano::new(*months, *days, *nanoseconds), 1);
            }
            let average = sums.average().expect("an average");
            (average.months, average.days, average.nanoseconds)
        };
        assert_eq!(average(&[(1, 0, 0), (0, 0, 0)]), (0, 15, 0));
        assert_eq!(average(&[(0, 3, 0), (0, 0, 0)]), (0, 1, NANOSECONDS_PER_DAY / 2));
        assert_eq!(average(&[(0, -3, 0), (0, 0, 0)]), (0, -1, -NANOSECONDS_PER_DAY / 2));
        assert_eq!(average(&[(0, 0, 1_000), (0, 0, 0), (0, 0, 1_000)]), (0, 0, 1_000));
    }
}
