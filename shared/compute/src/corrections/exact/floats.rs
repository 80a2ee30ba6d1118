//! Sums and averages of floats in a window that slides.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

/// A queue of two stacks: what comes is added to one sum; what goes is taken off sums that were made
/// from the other end. Each value is moved once, and nothing is subtracted.
#[derive(Debug, Default)]
pub(super) struct SlidingFloats {
    /// Sums of the oldest values: the last is that of all of them.
    old: Vec<f64>,
    new: Vec<f64>,
    new_sum: f64,
    is_average: bool,
}

impl SlidingFloats {
    pub(super) fn sum() -> Self {
        Self::default()
    }

    pub(super) fn avg() -> Self {
        Self { is_average: true, ..Self::default() }
    }

    fn pop(&mut self) {
        if self.old.is_empty() {
            let mut sum = 0.0;
            while let Some(value) = self.new.pop() {
                sum += value;
                self.old.push(sum);
            }
            self.new_sum = 0.0;
        }
        self.old.pop();
    }
}

impl Accumulator for SlidingFloats {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            self.new.push(value);
            self.new_sum += value;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        (0..values[0].len() - values[0].null_count()).for_each(|_| self.pop());
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let count = self.old.len() + self.new.len();
        let sum = self.old.last().unwrap_or(&0.0) + self.new_sum;
        let value = if self.is_average { sum / count as f64 } else { sum };
        Ok(ScalarValue::Float64((count > 0).then_some(value)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + (self.old.capacity() + self.new.capacity()) * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        internal_err!("a window is summed in one piece")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        internal_err!("a window is summed in one piece")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::Float64Array;

    use super::*;

    #[test]
    fn what_has_left_a_window_leaves_nothing_behind() {
        let values = [1.5, f64::NAN, 0.25, 1e300, 2.0, 3.0];
        let array = |x: f64| -> [ArrayRef; 1] { [Arc::new(Float64Array::from(vec![x]))] };
        let mut window = SlidingFloats::sum();
        let mut sums = vec![];
        for (n, value) in values.iter().enumerate() {
            window.update_batch(&array(*value)).expect("added");
            if n >= 2 {
                window.retract_batch(&array(values[n - 2])).expect("taken off");
            }
            sums.push(window.evaluate().expect("a sum"));
        }
        let sums: Vec<_> = sums.iter().map(ToString::to_string).collect();
        assert_eq!(
            sums[3..],
            ["1e300", "1e300", "5"].map(|s| s
                .parse::<f64>()
                .map_or(s.into(), |x| ScalarValue::Float64(Some(x)).to_string()))
        );
        assert_eq!(sums[1], ScalarValue::Float64(Some(f64::NAN)).to_string());
    }
}
