//! The sum of all values, of a window that slides, of distinct values.

use datafusion::arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, PrimitiveArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::number::{Wide, narrow, widen};

/// What is summed and how the sum is given.
#[derive(Debug, Clone)]
pub(super) struct SumOf {
    /// As the statement says it.
    pub(super) what: String,
    pub(super) sums: DataType,
    pub(super) result: DataType,
}

/// The sum of values that come and, in a window, go.
#[derive(Debug)]
pub(super) struct ExactSum<T: Wide> {
    of: SumOf,
    sum: T::Native,
    /// Values that are not null.
    count: u64,
    slides: bool,
}

impl<T: Wide> ExactSum<T> {
    pub(super) fn new(of: SumOf, slides: bool) -> Self {
        Self { of, sum: T::Native::default(), count: 0, slides }
    }

    fn change(
        &mut self,
        values: &ArrayRef,
        step: impl Fn(T::Native, T::Native) -> Result<T::Native, ArrowError>,
    ) -> Result<u64> {
        let wide = widen::<T>(values, &self.of.sums)?;
        let mut sum = self.sum;
        if wide.nulls().is_none_or(|n| n.null_count() == 0) {
            for value in wide.values() {
                sum = step(sum, *value).map_err(|_| overflow(&self.of))?;
            }
        } else {
            for value in wide.iter().flatten() {
                sum = step(sum, value).map_err(|_| overflow(&self.of))?;
            }
        }
        self.sum = sum;
        Ok((values.len() - values.null_count()) as u64)
    }

    /// Null if there was no value.
    fn sums(&self) -> PrimitiveArray<T> {
        let sum = (self.count > 0).then_some(self.sum);
        PrimitiveArray::<T>::from_iter([sum]).with_data_type(self.of.sums.clone())
    }
}

/// A sum does not even fit the type that it is counted in.
pub(super) fn overflow(of: &SumOf) -> DataFusionError {
    let fits = crate::sql_type::name(&of.sums);
    exec_datafusion_err!("{} overflows: it does not fit {fits}", of.what)
}

impl<T: Wide> Accumulator for ExactSum<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += self.change(&values[0], |a, b| a.add_checked(b))?;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= self.change(&values[0], |a, b| a.sub_checked(b))?;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.slides
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = narrow(&self.sums(), &self.of.result, &self.of.what)?;
        ScalarValue::try_from_array(&value, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&self.sums(), 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// Collects distinct values as DataFusion does, and hands them to an exact accumulator.
#[derive(Debug)]
pub(super) struct OfDistinct {
    /// Its state is a list of the values.
    pub(super) values: Box<dyn Accumulator>,
    pub(super) exact: fn(&SumOf) -> Box<dyn Accumulator>,
    pub(super) of: SumOf,
}

impl Accumulator for OfDistinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.values.state()?;
        let Some(ScalarValue::List(list)) = state.first() else {
            return internal_err!("distinct values are not a list");
        };
        let mut exact = (self.exact)(&self.of);
        exact.update_batch(&[list.value(0)])?;
        exact.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }
}
