//! Rows as JSON, one object a line.
//!
//! Arrow's writer does most of it. What it would lose is written here as PostgreSQL's `to_json` does:
//! NaN and infinities, for which JSON has no number, are text; keys of maps are text, whatever their
//! type; NULL is a member, not one that is missing; and a time that has no text is an error, where
//! arrow writes its error's text for the value.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, Float64Array, MapArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, WriterBuilder,
    make_encoder,
};
use datafusion::arrow::record_batch::RecordBatch;

use super::table::texts;

static OPTIONS: LazyLock<EncoderOptions> = LazyLock::new(|| {
    EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Lossless))
});

/// Those of arrow, where they are right.
static PLAIN: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);

pub(super) fn write(batches: &[RecordBatch], to: impl Write) -> anyhow::Result<()> {
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let builder = builder.with_encoder_factory(Arc::new(Lossless));
    let mut writer = builder.build::<_, LineDelimited>(to);
    batches.iter().try_for_each(|b| writer.write(b))?;
    writer.finish()?;
    Ok(())
}

/// What writes the values of a column.
pub(super) fn encoder<'a>(
    field: &'a FieldRef,
    array: &'a dyn Array,
) -> Result<NullableEncoder<'a>, ArrowError> {
    make_encoder(field, array, &OPTIONS)
}

#[derive(Debug)]
struct Lossless;

impl EncoderFactory for Lossless {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let nulls = array.nulls().cloned();
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            kind if kind.is_floating() => {
                let values = cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
                Box::new(FloatEncoder { values, finite: make_encoder(field, array, &PLAIN)? })
            }
            kind if kind.is_temporal() => {
                texts(field.name(), array)?; // none of them fails
                return Ok(None);
            }
            DataType::Map(..) => Box::new(MapEncoder::new(field, array.as_map(), options)?),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, nulls)))
    }
}

struct FloatEncoder<'a> {
    values: Float64Array,
    finite: NullableEncoder<'a>,
}

impl Encoder for FloatEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.values.value(row);
        match value {
            _ if value.is_nan() => out.extend(b"\"NaN\""),
            f64::INFINITY => out.extend(b"\"Infinity\""),
            f64::NEG_INFINITY => out.extend(b"\"-Infinity\""),
            _ => self.finite.encode(row, out),
        }
    }
}

struct MapEncoder<'a> {
    map: &'a MapArray,
    keys: StringArray,
    values: NullableEncoder<'a>,
}

impl<'a> MapEncoder<'a> {
    fn new(
        field: &'a FieldRef,
        map: &'a MapArray,
        options: &'a EncoderOptions,
    ) -> Result<Self, ArrowError> {
        let keys = texts(field.name(), map.keys())?;
        Ok(Self { map, keys, values: make_encoder(field, map.values(), options)? })
    }
}

impl Encoder for MapEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let offsets = self.map.value_offsets();
        let entries = offsets[row]..offsets[row + 1];
        out.push(b'{');
        for (number, entry) in entries.enumerate() {
            let entry = usize::try_from(entry).unwrap_or_default();
            if number > 0 {
                out.push(b',');
            }
            let key = serde_json::Value::from(self.keys.value(entry));
            out.extend(key.to_string().as_bytes());
            out.push(b':');
            match self.values.is_null(entry) {
                true => out.extend(b"null"),
                false => self.values.encode(entry, out),
            }
        }
        out.push(b'}');
    }
}
