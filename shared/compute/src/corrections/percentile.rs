//! `percentile_cont` to the last digit. DataFusion 55.2 cuts the weight between two values to six digits.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, ListArray, ListBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::types::{NativeType, logical_float64};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Coercion, EmitTo, GroupsAccumulator, Signature,
    TypeSignatureClass, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

use super::refilled::Refilled;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    registry.register_udaf(Arc::new(AggregateUDF::new_from_impl(Percentile::new())))?;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Percentile {
    signature: Signature,
    aliases: Vec<String>,
}

impl Percentile {
    fn new() -> Self {
        let float = || {
            Coercion::new_implicit(
                TypeSignatureClass::Native(logical_float64()),
                vec![TypeSignatureClass::Numeric],
                NativeType::Float64,
            )
        };
        let signature = Signature::coercible(vec![float(), float()], Volatility::Immutable);
        Self { signature, aliases: vec!["quantile_cont".to_owned()] }
    }

    /// What is taken of the values.
    fn taken(args: &AccumulatorArgs) -> Result<Taken> {
        let literal = args.exprs.get(1).and_then(|e| e.downcast_ref::<Literal>());
        let at = match literal.map(Literal::value) {
            Some(ScalarValue::Float64(Some(at))) if (0.0..=1.0).contains(at) => *at,
            Some(other) => return exec_err!("a percentile is from 0 to 1, and {other} is not"),
            None => return exec_err!("the percentile of {} must be a number", args.name),
        };
        let descends = args.order_bys.first().is_some_and(|order| order.options.descending);
        Ok(Taken { at, descends, is_distinct: args.is_distinct })
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        "percentile_cont"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = DataType::new_list(DataType::Float64, true);
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "values"), values, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Values { all: vec![], taken: Self::taken(&args)? }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let inner = Arc::new(AggregateUDF::new_from_impl(self.clone()));
        Ok(Box::new(Refilled::new(inner, &args)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ValuesOfGroups { all: vec![], taken: Self::taken(&args)? }))
    }
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    /// From 0 to 1.
    at: f64,
    /// The greatest value is the first.
    descends: bool,
    is_distinct: bool,
}

impl Taken {
    /// As PostgreSQL's `percentile_cont_final_common`: between the two values around `at * (n - 1)`.
    fn of(self, values: &mut Vec<f64>) -> Option<f64> {
        let by_size =
            |a: &f64, b: &f64| if self.descends { b.total_cmp(a) } else { a.total_cmp(b) };
        if self.is_distinct {
            values.sort_unstable_by(by_size);
            values.dedup_by(|a, b| a.total_cmp(b).is_eq());
        }
        let place = self.at * values.len().checked_sub(1)? as f64;
        let (_, low, above) = values.select_nth_unstable_by(place.floor() as usize, by_size);
        let low = *low;
        let high = above.iter().copied().min_by(by_size);
        Some(match (place.fract(), high) {
            (weight, Some(high)) if weight > 0.0 => low + (high - low) * weight,
            _ => low,
        })
    }
}

/// The values of one group.
#[derive(Debug)]
struct Values {
    all: Vec<f64>,
    taken: Taken,
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.all.extend(values[0].as_primitive::<Float64Type>().iter().flatten());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // a window asks again
        Ok(ScalarValue::Float64(self.taken.of(&mut self.all)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.all.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = lists([std::mem::take(&mut self.all)]);
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }
}

/// The values of many groups.
struct ValuesOfGroups {
    all: Vec<Vec<f64>>,
    taken: Taken,
}

impl GroupsAccumulator for ValuesOfGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.all.resize(total, vec![]);
        for (row, (value, group)) in
            values[0].as_primitive::<Float64Type>().iter().zip(groups).enumerate()
        {
            if let Some(value) = value.filter(|_| passes(filter, row)) {
                self.all[*group].push(value);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let mut groups = emit_to.take_needed(&mut self.all);
        let results = groups.iter_mut().map(|values| self.taken.of(values));
        Ok(Arc::new(Float64Array::from_iter(results)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(lists(emit_to.take_needed(&mut self.all)))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.all.resize(total, vec![]);
        for (list, group) in states[0].as_list::<i32>().iter().zip(groups) {
            let values = list.iter().flat_map(|l| l.as_primitive::<Float64Type>().values());
            self.all[*group].extend(values);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>().iter().enumerate();
        let each = values.map(|(row, v)| v.filter(|_| passes(filter, row)).into_iter().collect());
        Ok(vec![Arc::new(lists(each))])
    }

    fn size(&self) -> usize {
        let values: usize = self.all.iter().map(Vec::capacity).sum();
        values * size_of::<f64>() + self.all.capacity() * size_of::<Vec<f64>>()
    }
}

fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|f| f.is_valid(row) && f.value(row))
}

fn lists(all: impl IntoIterator<Item = Vec<f64>>) -> ListArray {
    let mut builder = ListBuilder::new(Float64Builder::new());
    for values in all {
        builder.values().append_slice(&values);
        builder.append(true);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_lies_between_two_values() {
        let of = |at, descends, values: &[f64]| {
            Taken { at, descends, is_distinct: false }.of(&mut values.to_vec())
        };
        assert_eq!(of(0.5, false, &[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(0.5, false, &[4.0, 1.0]), Some(2.5));
        assert_eq!(of(0.25, true, &[4.0, 0.0, 8.0]), Some(6.0));
        assert_eq!(of(1.0, false, &[4.0, f64::INFINITY]), Some(f64::INFINITY));
        assert_eq!(of(0.0, false, &[4.0, f64::INFINITY]), Some(4.0));
        assert_eq!(of(0.5, false, &[]), None);
        let distinct = Taken { at: 0.5, descends: false, is_distinct: true };
        assert_eq!(distinct.of(&mut vec![1.0, 1.0, 1.0, 5.0]), Some(3.0));
    }
}
