//! One bit pattern for each number: `-0.0` becomes `0.0`, and all NaN become one that is greater than
//! every number.
//!
//! Arrow compares floats by their bits (IEEE 754 `totalOrder`): it tells `-0.0` from `0.0`, and NaN of
//! one sign from NaN of the other, which SQL does not. Over canonical floats that order and its
//! equality are SQL's, whoever compares: hashes, sorts, filters.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, OffsetSizeTrait, StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(CanonicalFloat { signature }))
});

/// The function, for a registry.
pub(super) fn function() -> Arc<ScalarUDF> {
    FUNCTION.clone()
}

/// The canonical form of a value.
pub(super) fn canonical(value: Expr) -> Expr {
    match value {
        Expr::ScalarFunction(f) if f.func == *FUNCTION => Expr::ScalarFunction(f),
        value => Expr::ScalarFunction(ScalarFunction::new_udf(function(), vec![value])),
    }
}

/// Whether values of a type are floats or hold any.
pub(super) fn has_float(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => true,
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            has_float(f.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|f| has_float(f.data_type())),
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CanonicalFloat {
    signature: Signature,
}

impl ScalarUDFImpl for CanonicalFloat {
    fn name(&self) -> &'static str {
        "canonical_float"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [data_type] = take_function_args(self.name(), types)?;
        Ok(data_type.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(canonical_array(&array)?),
            ColumnarValue::Scalar(scalar) => {
                let array = canonical_array(&scalar.to_array()?)?;
                ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&array, 0)?)
            }
        })
    }
}

fn canonical_array(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float16 => {
            let wide = canonical_array(&cast(array, &DataType::Float32)?)?;
            cast(&wide, &DataType::Float16)?
        }
        DataType::Float32 => {
            let floats = array.as_primitive::<Float32Type>();
            Arc::new(
                floats.unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x + 0.0 }),
            )
        }
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            Arc::new(
                floats.unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x + 0.0 }),
            )
        }
        DataType::Struct(fields) if has_float(array.data_type()) => {
            let columns = array.as_struct();
            let inner = columns.columns().iter().map(canonical_array).collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(fields.clone(), inner, columns.nulls().cloned())?)
        }
        DataType::List(_) if has_float(array.data_type()) => canonical_list::<i32>(array)?,
        DataType::LargeList(_) if has_float(array.data_type()) => canonical_list::<i64>(array)?,
        DataType::FixedSizeList(field, size) if has_float(field.data_type()) => {
            let list = array.as_fixed_size_list();
            let (values, nulls) = (canonical_array(list.values())?, list.nulls().cloned());
            Arc::new(FixedSizeListArray::try_new(field.clone(), *size, values, nulls)?)
        }
        _ => array.clone(),
    })
}

fn canonical_list<O: OffsetSizeTrait>(array: &ArrayRef) -> Result<ArrayRef> {
    let (field, offsets, values, nulls) = array.as_list::<O>().clone().into_parts();
    let values = canonical_array(&values)?;
    Ok(Arc::new(GenericListArray::<O>::try_new(field, offsets, values, nulls)?))
}
