//! `sum`.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Field, FieldRef};
use datafusion::common::Result;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator};

use super::floats::SlidingFloats;
use super::groups::ExactSums;
use super::number::{is_exact, sum_type};
use super::values::{ExactSum, OfDistinct, SumOf};
use crate::corrections::delegate::delegate_aggregate;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    let sum = Sum { inner: sum_udaf() };
    registry.register_udaf(Arc::new(AggregateUDF::new_from_impl(sum)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    inner: Arc<AggregateUDF>,
}

/// What the result holds is enough: more could not be given.
fn sum_of(args: &AccumulatorArgs) -> SumOf {
    let result = args.return_field.data_type().clone();
    SumOf { what: args.name.to_owned(), sums: sum_type(&result, 0), result }
}

fn exact(of: &SumOf, slides: bool) -> Box<dyn Accumulator> {
    match of.sums {
        DataType::Decimal256(..) => Box::new(ExactSum::<Decimal256Type>::new(of.clone(), slides)),
        _ => Box::new(ExactSum::<Decimal128Type>::new(of.clone(), slides)),
    }
}

impl AggregateUDFImpl for Sum {
    delegate_aggregate!();

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = sum_of(&args);
        if !is_exact(&of.result) {
            return self.inner.accumulator(args);
        }
        if !args.is_distinct {
            return Ok(exact(&of, false));
        }
        let values = self.inner.accumulator(args)?;
        Ok(Box::new(OfDistinct { values, exact: |of| exact(of, false), of }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = sum_of(&args);
        if !args.is_distinct && of.result == DataType::Float64 {
            return Ok(Box::new(SlidingFloats::sum()));
        }
        if args.is_distinct || !is_exact(&of.result) {
            return self.inner.create_sliding_accumulator(args);
        }
        Ok(exact(&of, true))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let result = args.return_field.data_type();
        if args.is_distinct || !is_exact(result) {
            return self.inner.state_fields(args);
        }
        let name = format_state_name(args.name, "sum");
        Ok(vec![Arc::new(Field::new(name, sum_type(result, 0), true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let of = sum_of(&args);
        Ok(match of.sums {
            _ if !is_exact(&of.result) => return self.inner.create_groups_accumulator(args),
            DataType::Decimal256(..) => Box::new(ExactSums::<Decimal256Type>::new(of)),
            _ => Box::new(ExactSums::<Decimal128Type>::new(of)),
        })
    }
}
