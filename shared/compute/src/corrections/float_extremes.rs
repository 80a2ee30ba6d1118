//! `min` and `max` of floats by group: NaN is greater than every number.
//!
//! DataFusion 55.2 lets whatever follows a NaN win, and starts from the greatest finite number, which
//! an infinity never reaches.

use std::sync::Arc;

use datafusion::arrow::array::ArrowNativeTypeOp;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, FieldRef, Float16Type, Float32Type, Float64Type,
};
use datafusion::common::Result;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, StatisticsArgs,
};
use datafusion::scalar::ScalarValue;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use super::delegate::delegate_aggregate;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    for (inner, is_max) in [(min_udaf(), false), (max_udaf(), true)] {
        let extreme = Extreme { inner, is_max };
        registry.register_udaf(Arc::new(AggregateUDF::new_from_impl(extreme)))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    inner: Arc<AggregateUDF>,
    is_max: bool,
}

impl AggregateUDFImpl for Extreme {
    delegate_aggregate!();

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = args.return_field.data_type().clone();
        Ok(match data_type {
            DataType::Float16 => groups::<Float16Type>(&data_type, self.is_max),
            DataType::Float32 => groups::<Float32Type>(&data_type, self.is_max),
            DataType::Float64 => groups::<Float64Type>(&data_type, self.is_max),
            _ => return self.inner.create_groups_accumulator(args),
        })
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        // the bounds of a file leave NaN out
        if args.return_type.is_floating() { None } else { self.inner.value_from_stats(args) }
    }
}

/// Over canonical floats the total order of IEEE 754 is that of SQL.
fn groups<T: ArrowPrimitiveType + Send>(
    data_type: &DataType,
    is_max: bool,
) -> Box<dyn GroupsAccumulator> {
    if is_max {
        let greater = |known: &mut T::Native, new: T::Native| {
            if new.is_gt(*known) {
                *known = new;
            }
        };
        let groups = PrimitiveGroupsAccumulator::<T, _>::new(data_type, greater);
        Box::new(groups.with_starting_value(T::Native::MIN_TOTAL_ORDER))
    } else {
        let less = |known: &mut T::Native, new: T::Native| {
            if new.is_lt(*known) {
                *known = new;
            }
        };
        let groups = PrimitiveGroupsAccumulator::<T, _>::new(data_type, less);
        Box::new(groups.with_starting_value(T::Native::MAX_TOTAL_ORDER))
    }
}
