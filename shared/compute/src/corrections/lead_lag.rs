//! `lead` and `lag` with `IGNORE NULLS`.
//!
//! DataFusion 55.2 counts the distance between values wrongly where several nulls follow each other
//! ([#25471](https://github.com/apache/datafusion/issues/25471)). Ours looks at the whole partition.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, UInt32Array};
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{
    LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::scalar::ScalarValue;

/// Replaces DataFusion's.
pub(super) fn register(registry: &mut impl FunctionRegistry) -> Result<()> {
    for (inner, is_lead) in [(lead_udwf(), true), (lag_udwf(), false)] {
        registry.register_udwf(Arc::new(WindowUDF::new_from_impl(Shift { inner, is_lead })))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Shift {
    inner: Arc<WindowUDF>,
    is_lead: bool,
}

impl WindowUDFImpl for Shift {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn expressions(&self, args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.expressions(args)
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let literal = |n: usize| {
            let argument = args.input_exprs().get(n)?.downcast_ref::<Literal>()?;
            Some(argument.value().clone()).filter(|v| !v.is_null())
        };
        let has_offset = args.input_exprs().len() > 1;
        if has_offset && literal(1).is_none() {
            return exec_err!("the offset of {} must be a whole number", self.name());
        }
        if !args.ignore_nulls() {
            return self.inner.inner().partition_evaluator(args);
        }
        let offset = match literal(1).map(|v| v.cast_to(&DataType::Int64)).transpose()? {
            Some(ScalarValue::Int64(Some(offset))) => offset,
            None if !has_offset => 1,
            _ => return exec_err!("the offset of {} must be a whole number", self.name()),
        };
        let data_type = args.input_fields()[0].data_type();
        let default = match literal(2) {
            Some(default) => default.cast_to(data_type)?,
            None => ScalarValue::try_from(data_type)?,
        };
        let is_forward = self.is_lead != args.is_reversed();
        Ok(Box::new(Known { offset: if is_forward { offset } else { -offset }, default }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        if let [value, _, default, ..] = args.input_fields() {
            let (value, default) = (value.data_type(), default.data_type());
            let has_fraction = default.is_floating() || default.is_decimal();
            if value.is_integer() && has_fraction {
                return plan_err!(
                    "the default of {} has a fraction and its values have none: cast one of them",
                    self.name()
                );
            }
        }
        self.inner.field(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        ReversedUDWF::NotSupported
    }

    fn limit_effect(&self, args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.inner.inner().limit_effect(args)
    }
}

/// The value so many known ones later, or earlier.
#[derive(Debug)]
struct Known {
    offset: i64,
    default: ScalarValue,
}

impl PartitionEvaluator for Known {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let array = &values[0];
        let known: Vec<usize> = (0..rows).filter(|row| array.is_valid(*row)).collect();
        let steps = usize::try_from(self.offset.unsigned_abs()).unwrap_or(usize::MAX);
        let mut before = 0; // known ones before the row
        let place = |row: usize| {
            if known.get(before).is_some_and(|k| *k < row) {
                before += 1;
            }
            let after = before + usize::from(known.get(before) == Some(&row));
            match self.offset {
                0 => array.is_valid(row).then_some(row),
                1.. => known.get(after.checked_add(steps - 1)?).copied(),
                _ => known.get(before.checked_sub(steps)?).copied(),
            }
        };
        // the default stands behind the values
        let all = concat(&[array.as_ref(), self.default.to_array()?.as_ref()])?;
        let places = (0..rows).map(place).map(|p| u32::try_from(p.unwrap_or(rows)).ok());
        Ok(take(&all, &UInt32Array::from_iter(places.collect::<Vec<_>>()), None)?)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Int64Array};
    use datafusion::arrow::datatypes::Int64Type;

    use super::*;

    fn shifted(offset: i64) -> Vec<Option<i64>> {
        let values = [Some(10), Some(20), Some(30), Some(40), None, None, Some(70)];
        let values: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        let mut known = Known { offset, default: ScalarValue::Int64(Some(-1)) };
        let shifted = known.evaluate_all(&[values], 7).expect("shifted");
        shifted.as_primitive::<Int64Type>().iter().collect()
    }

    #[test]
    fn nulls_are_passed_over_in_both_directions() {
        let some = |values: [i64; 7]| values.map(Some).to_vec();
        assert_eq!(shifted(1), some([20, 30, 40, 70, 70, 70, -1]));
        assert_eq!(shifted(2), some([30, 40, 70, -1, -1, -1, -1]));
        assert_eq!(shifted(-1), some([-1, 10, 20, 30, 40, 40, 40]));
        assert_eq!(shifted(-2), some([-1, -1, 10, 20, 30, 30, 30]));
    }
}
