use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, ListArray, MapArray, RecordBatch,
    RecordBatchOptions, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder;
use datafusion::arrow::json::reader::Decoder as Reader;

use super::convert::{Misfit, is_converted, is_text, of_array};
use super::{Decoder, Problem};

/// Makes batches of objects of JSON.
///
/// The reader cuts the fraction of a number for a column of whole ones, so it is asked for texts.
pub(crate) struct JsonDecoder {
    reader: Reader,
    schema: SchemaRef,
    inferred: bool,
    batch_rows: usize,
}

impl JsonDecoder {
    /// # Errors
    /// The reader does not know a type.
    pub(crate) fn new(
        schema: SchemaRef,
        inferred: bool,
        batch_rows: usize,
    ) -> Result<Self, ArrowError> {
        let fields: Vec<_> = schema.fields().iter().map(as_read).collect();
        let reader = ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_batch_size(batch_rows)
            .with_coerce_primitive(true)
            .build_decoder()?;
        Ok(Self { reader, schema, inferred, batch_rows })
    }

    /// Whether what was taken ends in the middle of an object.
    pub(crate) fn is_within_object(&self) -> bool {
        self.reader.has_partial_record()
    }
}

impl Decoder for JsonDecoder {
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Problem> {
        self.reader.decode(bytes).map_err(problem)
    }

    fn is_full(&self) -> bool {
        self.reader.len() >= self.batch_rows && !self.reader.has_partial_record()
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>, Problem> {
        let Some(read) = self.reader.flush().map_err(problem)? else { return Ok(None) };
        let mut columns = vec![];
        for (column, field) in read.columns().iter().zip(self.schema.fields()) {
            columns.push(converted(column, field, field.name(), self.inferred)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(read.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        batch.map(Some).map_err(problem)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what fails")]
fn problem(error: ArrowError) -> Problem {
    let text = error.to_string();
    Problem::Line(text.trim_start_matches("Json error: ").to_owned())
}

/// As the reader is asked for it: nullable, since it is for us to say what is missing.
fn as_read(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(as_read).collect()),
        DataType::List(item) => DataType::List(as_read(item)),
        DataType::LargeList(item) => DataType::LargeList(as_read(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(as_read(item), *size),
        DataType::Map(entries, sorted) => DataType::Map(entries_as_read(entries), *sorted),
        other if is_text(other) || !is_converted(other) => other.clone(),
        _ => DataType::Utf8,
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

/// The keys of a map are texts and the entries are there.
fn entries_as_read(entries: &FieldRef) -> FieldRef {
    let DataType::Struct(fields) = entries.data_type() else { return entries.clone() };
    let fields: Fields = fields.iter().map(as_read).collect();
    Arc::new(Field::new(entries.name(), DataType::Struct(fields), entries.is_nullable()))
}

/// A column as its table has it, from what was read.
fn converted(
    read: &ArrayRef,
    field: &Field,
    path: &str,
    inferred: bool,
) -> Result<ArrayRef, Problem> {
    let data_type = field.data_type();
    if read.data_type() == data_type {
        return Ok(read.clone());
    }
    let inner = |array: &ArrayRef, item: &FieldRef| converted(array, item, path, inferred);
    let array: Result<ArrayRef, ArrowError> = match data_type {
        DataType::Struct(fields) => {
            let read = read.as_struct();
            let children = children(read, fields, path, inferred)?;
            let nulls = read.nulls().cloned();
            StructArray::try_new_with_length(fields.clone(), children, nulls, read.len())
                .map(|a| Arc::new(a) as ArrayRef)
        }
        DataType::List(item) => {
            let (_, offsets, values, nulls) = read.as_list::<i32>().clone().into_parts();
            let values = inner(&values, item)?;
            ListArray::try_new(item.clone(), offsets, values, nulls).map(|a| Arc::new(a) as _)
        }
        DataType::LargeList(item) => {
            let (_, offsets, values, nulls) = read.as_list::<i64>().clone().into_parts();
            let values = inner(&values, item)?;
            LargeListArray::try_new(item.clone(), offsets, values, nulls).map(|a| Arc::new(a) as _)
        }
        DataType::FixedSizeList(item, size) => {
            let (_, _, values, nulls) = read.as_fixed_size_list().clone().into_parts();
            let values = inner(&values, item)?;
            FixedSizeListArray::try_new(item.clone(), *size, values, nulls)
                .map(|a| Arc::new(a) as _)
        }
        DataType::Map(entries, sorted) => {
            let (_, offsets, read, nulls, _) = read.as_map().clone().into_parts();
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(Problem::Line(format!("column {path} is no map")));
            };
            let children = children(&read, fields, path, inferred)?;
            StructArray::try_new(fields.clone(), children, read.nulls().cloned())
                .and_then(|s| MapArray::try_new(entries.clone(), offsets, s, nulls, *sorted))
                .map(|a| Arc::new(a) as _)
        }
        _ => {
            let texts = of_array(read.as_string::<i32>(), inferred);
            let misfit = |value: &str| Misfit {
                column: path.to_owned(),
                value: value.to_owned(),
                data_type: data_type.clone(),
                inferred,
            };
            return Ok(texts.column(data_type).map_err(misfit)?);
        }
    };
    array.map_err(problem)
}

fn children(
    read: &StructArray,
    fields: &Fields,
    path: &str,
    inferred: bool,
) -> Result<Vec<ArrayRef>, Problem> {
    let pairs = read.columns().iter().zip(fields);
    pairs.map(|(c, f)| converted(c, f, &format!("{path}.{}", f.name()), inferred)).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::util::pretty::pretty_format_batches;

    use super::*;

    fn read(text: &str, schema: &SchemaRef) -> Result<String, String> {
        let mut decoder = JsonDecoder::new(schema.clone(), true, 100).expect("known types");
        let taken = decoder.take(text.as_bytes()).map_err(|p| p.to_string())?;
        assert_eq!(taken, text.len());
        let batch = decoder.flush().map_err(|p| p.to_string())?.expect("rows");
        Ok(pretty_format_batches(&[batch]).expect("a table").to_string())
    }

    #[test]
    fn nested_values_are_whole_or_named() {
        let whole = |name| Field::new(name, DataType::Int64, true);
        let list = DataType::List(Arc::new(whole("item")));
        let inner = vec![whole("x"), Field::new("l", list, true)];
        let fields = vec![
            Field::new("o", DataType::Struct(inner.into()), true),
            Field::new("t", DataType::Utf8, true),
        ];
        let schema = Arc::new(Schema::new(fields));
        let good = "{\"o\":{\"x\":1,\"l\":[2,null]},\"t\":7}\n{\"o\":null,\"t\":\"a\"}\n{}\n";
        let table = read(good, &schema).expect("rows");
        assert!(table.contains("{x: 1, l: [2, ]} | 7"), "{table}");
        for (text, part) in
            [("{\"o\":{\"x\":1.5}}", "column o.x"), ("{\"o\":{\"l\":[1,2,3e-1]}}", "'3e-1'")]
        {
            let why = read(text, &schema).expect_err("a fraction");
            assert!(why.contains(part), "{why}");
        }
    }
}
