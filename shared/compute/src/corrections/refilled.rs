//! Variances, covariances and regressions over a frame that slides.
//!
//! DataFusion 55.2 subtracts what leaves the frame, and keeps the rounding of all that was ever in it: the
//! variance of equal values is not 0, and its root may be NaN. Here each frame is worked out anew, as
//! PostgreSQL does for floats.

use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::{Result, internal_err};
use datafusion::functions_aggregate::{correlation, covariance, regr, stddev, variance};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::scalar::ScalarValue;

use super::delegate::delegate_aggregate;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    for inner in [
        variance::var_samp_udaf(),
        variance::var_pop_udaf(),
        stddev::stddev_udaf(),
        stddev::stddev_pop_udaf(),
        covariance::covar_samp_udaf(),
        covariance::covar_pop_udaf(),
        correlation::corr_udaf(),
        regr::regr_slope_udaf(),
        regr::regr_intercept_udaf(),
        regr::regr_r2_udaf(),
        regr::regr_avgx_udaf(),
        regr::regr_avgy_udaf(),
        regr::regr_sxx_udaf(),
        regr::regr_syy_udaf(),
        regr::regr_sxy_udaf(),
    ] {
        registry.register_udaf(Arc::new(AggregateUDF::new_from_impl(FrameByFrame { inner })))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FrameByFrame {
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for FrameByFrame {
    delegate_aggregate!();

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Refilled::new(self.inner.clone(), &args)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
}

/// The rows of a frame, given to a new accumulator whenever its value is asked for.
#[derive(Debug)]
pub(super) struct Refilled {
    inner: Arc<AggregateUDF>,
    args: OwnedArgs,
    /// The arguments' columns, as they came.
    rows: VecDeque<Vec<ArrayRef>>,
}

/// What `AccumulatorArgs` borrows.
#[derive(Debug)]
struct OwnedArgs {
    return_field: FieldRef,
    schema: Schema,
    ignore_nulls: bool,
    order_bys: Vec<PhysicalSortExpr>,
    is_reversed: bool,
    name: String,
    is_distinct: bool,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

impl OwnedArgs {
    fn lend(&self) -> AccumulatorArgs<'_> {
        AccumulatorArgs {
            return_field: self.return_field.clone(),
            schema: &self.schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &self.order_bys,
            is_reversed: self.is_reversed,
            name: &self.name,
            is_distinct: self.is_distinct,
            exprs: &self.exprs,
            expr_fields: &self.expr_fields,
        }
    }
}

impl Refilled {
    pub(super) fn new(inner: Arc<AggregateUDF>, args: &AccumulatorArgs) -> Self {
        let args = OwnedArgs {
            return_field: args.return_field.clone(),
            schema: args.schema.clone(),
            ignore_nulls: args.ignore_nulls,
            order_bys: args.order_bys.to_vec(),
            is_reversed: args.is_reversed,
            name: args.name.to_owned(),
            is_distinct: args.is_distinct,
            exprs: args.exprs.to_vec(),
            expr_fields: args.expr_fields.to_vec(),
        };
        Self { inner, args, rows: VecDeque::new() }
    }
}

fn count(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |c| c.len())
}

impl Accumulator for Refilled {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows.push_back(values.to_vec());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut leaving = count(values);
        while leaving > 0 {
            let Some(first) = self.rows.front_mut() else {
                return internal_err!("more rows leave a frame than came");
            };
            let here = count(first);
            if here > leaving {
                first.iter_mut().for_each(|c| *c = c.slice(leaving, here - leaving));
                return Ok(());
            }
            self.rows.pop_front();
            leaving -= here;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut fresh = self.inner.accumulator(self.args.lend())?;
        if let Some(first) = self.rows.front() {
            let column = |n: usize| -> Result<ArrayRef> {
                let parts: Vec<&dyn Array> = self.rows.iter().map(|r| r[n].as_ref()).collect();
                Ok(concat(&parts)?)
            };
            let whole = (0..first.len()).map(column).collect::<Result<Vec<_>>>()?;
            fresh.update_batch(&whole)?;
            // what has come stays in one piece
            self.rows = VecDeque::from([whole]);
        }
        fresh.evaluate()
    }

    fn size(&self) -> usize {
        let columns = self.rows.iter().flatten();
        size_of_val(self) + columns.map(|c| c.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        internal_err!("a frame is worked out in one piece")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        internal_err!("a frame is worked out in one piece")
    }
}
