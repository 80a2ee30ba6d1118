//! `avg` of decimals: an exact sum and a count, divided once and rounded half away from zero.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type, i256,
};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator,
};
use datafusion::scalar::ScalarValue;

use super::floats::SlidingFloats;
use super::groups::ExactSums;
use super::number::{Wide, narrow, sum_type};
use super::values::{ExactSum, OfDistinct, SumOf};
use crate::corrections::delegate::delegate_aggregate;

/// Digits of a sum beyond those of its values: of ten thousand million million rows.
const SPARE_DIGITS: u8 = 13;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    let avg = Avg { inner: avg_udaf() };
    registry.register_udaf(Arc::new(AggregateUDF::new_from_impl(avg)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Avg {
    inner: Arc<AggregateUDF>,
}

/// The result is that of the average; sums are given as they are counted.
fn average_of(args: &AccumulatorArgs) -> SumOf {
    SumOf {
        what: args.name.to_owned(),
        sums: sum_type(args.expr_fields[0].data_type(), SPARE_DIGITS),
        result: args.return_field.data_type().clone(),
    }
}

/// What the sum of an average is: it has the type that it is counted in.
fn its_sum(of: &SumOf) -> SumOf {
    SumOf { result: of.sums.clone(), ..of.clone() }
}

impl AggregateUDFImpl for Avg {
    delegate_aggregate!();

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = average_of(&args);
        if !of.result.is_decimal() {
            return self.inner.accumulator(args);
        }
        if !args.is_distinct {
            return Ok(average(&of, false));
        }
        let values = self.inner.accumulator(args)?;
        Ok(Box::new(OfDistinct { values, exact: |of| average(of, false), of }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = average_of(&args);
        if !args.is_distinct && of.result == DataType::Float64 {
            return Ok(Box::new(SlidingFloats::avg()));
        }
        if args.is_distinct || !of.result.is_decimal() {
            return self.inner.create_sliding_accumulator(args);
        }
        Ok(average(&of, true))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct || !args.return_field.data_type().is_decimal() {
            return self.inner.state_fields(args);
        }
        let sums = sum_type(args.input_fields[0].data_type(), SPARE_DIGITS);
        Ok(vec![
            Arc::new(Field::new(format_state_name(args.name, "count"), DataType::Int64, true)),
            Arc::new(Field::new(format_state_name(args.name, "sum"), sums, true)),
        ])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let of = average_of(&args);
        if !of.result.is_decimal() {
            return self.inner.create_groups_accumulator(args);
        }
        let counts = count_udaf().create_groups_accumulator(args)?;
        let sums: Box<dyn GroupsAccumulator> = match of.sums {
            DataType::Decimal256(..) => Box::new(ExactSums::<Decimal256Type>::new(its_sum(&of))),
            _ => Box::new(ExactSums::<Decimal128Type>::new(its_sum(&of))),
        };
        Ok(Box::new(Averages { of, counts, sums }))
    }
}

fn average(of: &SumOf, slides: bool) -> Box<dyn Accumulator> {
    let sum: Box<dyn Accumulator> = match of.sums {
        DataType::Decimal256(..) => Box::new(ExactSum::<Decimal256Type>::new(its_sum(of), slides)),
        _ => Box::new(ExactSum::<Decimal128Type>::new(its_sum(of), slides)),
    };
    Box::new(Average { of: of.clone(), count: 0, sum })
}

#[derive(Debug)]
struct Average {
    of: SumOf,
    count: i64,
    sum: Box<dyn Accumulator>,
}

fn known(values: &ArrayRef) -> i64 {
    i64::try_from(values.len() - values.null_count()).unwrap_or(i64::MAX)
}

impl Accumulator for Average {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += known(&values[0]);
        self.sum.update_batch(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= known(&values[0]);
        self.sum.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.sum.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.sum.evaluate()?.to_array()?;
        let counts: ArrayRef =
            Arc::new(PrimitiveArray::<Int64Type>::from_iter_values([self.count]));
        ScalarValue::try_from_array(&divide(&sum, &counts, &self.of)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sum.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = vec![ScalarValue::Int64(Some(self.count))];
        state.extend(self.sum.state()?);
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<Int64Type>();
        self.count += counts.iter().flatten().sum::<i64>();
        self.sum.merge_batch(&states[1..])
    }
}

struct Averages {
    of: SumOf,
    counts: Box<dyn GroupsAccumulator>,
    sums: Box<dyn GroupsAccumulator>,
}

impl GroupsAccumulator for Averages {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.counts.update_batch(values, groups, filter, total)?;
        self.sums.update_batch(values, groups, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        divide(&self.sums.evaluate(emit_to)?, &self.counts.evaluate(emit_to)?, &self.of)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut state = self.counts.state(emit_to)?;
        state.extend(self.sums.state(emit_to)?);
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.counts.merge_batch(&states[..1], groups, total)?;
        self.sums.merge_batch(&states[1..], groups, total)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let mut state = self.counts.convert_to_state(values, filter)?;
        state.extend(self.sums.convert_to_state(values, filter)?);
        Ok(state)
    }

    fn size(&self) -> usize {
        self.counts.size() + self.sums.size()
    }
}

/// Sums divided by counts; of no values null.
fn divide(sums: &ArrayRef, counts: &ArrayRef, of: &SumOf) -> Result<ArrayRef> {
    match sums.data_type() {
        DataType::Decimal128(..) => divide_wide::<Decimal128Type>(sums, counts, of),
        _ => divide_wide::<Decimal256Type>(sums, counts, of),
    }
}

fn divide_wide<T: Wide>(sums: &ArrayRef, counts: &ArrayRef, of: &SumOf) -> Result<ArrayRef> {
    let scale = |t: &DataType| match t {
        DataType::Decimal32(_, s)
        | DataType::Decimal64(_, s)
        | DataType::Decimal128(_, s)
        | DataType::Decimal256(_, s) => Ok(*s),
        other => internal_err!("{other} is no decimal"),
    };
    let digits = u32::try_from(scale(&of.result)? - scale(&of.sums)?).unwrap_or(0);
    let factor = i256::from_i128(10).wrapping_pow(digits);
    let (sums, counts) = (sums.as_primitive::<T>(), counts.as_primitive::<Int64Type>());
    let pairs = sums.iter().zip(counts.iter());
    let averages = pairs.map(|(sum, count)| {
        let (Some(sum), Some(count)) = (sum, count.filter(|n| *n > 0)) else { return Ok(None) };
        let wide = T::to_i256(sum).checked_mul(factor);
        match wide.map(|sum| rounded(sum, i256::from_i128(i128::from(count)))) {
            Some(average) => Ok(Some(average)),
            None => exec_err!("{} overflows within", of.what),
        }
    });
    let averages = averages.collect::<Result<Vec<Option<i256>>>>()?;
    let averages = PrimitiveArray::<Decimal256Type>::from_iter(averages)
        .with_data_type(DataType::Decimal256(76, scale(&of.result)?));
    narrow(&averages, &of.result, &of.what)
}

/// `n / d` for a positive `d`, half away from zero.
fn rounded(n: i256, d: i256) -> i256 {
    let (quotient, rest) = (n.wrapping_div(d), n.wrapping_rem(d));
    let twice = rest.wrapping_abs().wrapping_add(rest.wrapping_abs());
    match (twice >= d, n.is_negative()) {
        (false, _) => quotient,
        (true, false) => quotient.wrapping_add(i256::ONE),
        (true, true) => quotient.wrapping_sub(i256::ONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let of = |n, d| rounded(i256::from_i128(n), i256::from_i128(d)).to_i128();
        assert_eq!(
            [of(5, 2), of(-5, 2), of(4, 3), of(-4, 3), of(5, 3)].map(Option::unwrap),
            [3, -3, 1, -1, 2]
        );
    }
}
