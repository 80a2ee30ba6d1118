//! Sums by group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::{ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray};
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use super::number::{Wide, narrow, widen};
use super::values::{SumOf, overflow};

/// Counts in a type with room, and notices when even that is left.
pub(super) struct ExactSums<T> {
    of: SumOf,
    sums: Box<dyn GroupsAccumulator>,
    has_overflown: Arc<AtomicBool>,
    number: std::marker::PhantomData<T>,
}

impl<T: Wide> ExactSums<T> {
    pub(super) fn new(of: SumOf) -> Self {
        let has_overflown = Arc::new(AtomicBool::new(false));
        let notice = has_overflown.clone();
        let add = move |sum: &mut T::Native, value: T::Native| match sum.add_checked(value) {
            Ok(next) => *sum = next,
            Err(_) => notice.store(true, Ordering::Relaxed),
        };
        let sums = Box::new(PrimitiveGroupsAccumulator::<T, _>::new(&of.sums, add));
        Self { of, sums, has_overflown, number: std::marker::PhantomData }
    }

    fn check(&self) -> Result<()> {
        if self.has_overflown.load(Ordering::Relaxed) { Err(overflow(&self.of)) } else { Ok(()) }
    }
}

impl<T: Wide> GroupsAccumulator for ExactSums<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let wide: ArrayRef = Arc::new(widen::<T>(&values[0], &self.of.sums)?);
        self.sums.update_batch(&[wide], groups, filter, total)?;
        self.check()
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.sums.evaluate(emit_to)?;
        narrow(sums.as_primitive::<T>(), &self.of.result, &self.of.what)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(states, groups, None, total)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let wide: ArrayRef = Arc::new(widen::<T>(&values[0], &self.of.sums)?);
        self.sums.convert_to_state(&[wide], filter)
    }

    fn size(&self) -> usize {
        self.sums.size()
    }
}
