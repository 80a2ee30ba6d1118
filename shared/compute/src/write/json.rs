//! JSON with all floats: it has no numbers for NaN and infinities, so they are texts, as PostgreSQL's.

use std::sync::Arc;

use datafusion::arrow::array::types::{Float32Type, Float64Type};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, NullableEncoder, WriterBuilder,
};

/// What writes lines of JSON; a column of nulls is a column still.
pub(super) fn builder() -> WriterBuilder {
    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(AllFloats))
}

#[derive(Debug)]
struct AllFloats;

impl EncoderFactory for AllFloats {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let floats: Box<dyn Encoder> = match array.data_type() {
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>().values();
                if values.iter().all(|x| x.is_finite()) {
                    return Ok(None);
                }
                Box::new(Floats(values))
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>().values();
                if values.iter().all(|x| x.is_finite()) {
                    return Ok(None);
                }
                Box::new(Floats(values))
            }
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(floats, array.nulls().cloned())))
    }
}

struct Floats<'a, T>(&'a [T]);

impl<T: Copy + Into<f64> + std::fmt::Debug> Encoder for Floats<'_, T> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0[row];
        let text = match value.into() {
            x if x.is_nan() => "\"NaN\"".to_owned(),
            f64::INFINITY => "\"Infinity\"".to_owned(),
            f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
            // the shortest that is read as the same again
            _ => format!("{value:?}"),
        };
        out.extend_from_slice(text.as_bytes());
    }
}
