//! What is done to the columns of batches.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, MutableArrayData, RecordBatch, RecordBatchOptions, make_array,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::error::ArrowError;

/// The batch with each column changed to what `schema` says of it.
pub(crate) fn map_columns(
    batch: &RecordBatch,
    schema: &SchemaRef,
    change: impl Fn(&ArrayRef, &DataType) -> Result<ArrayRef, ArrowError>,
) -> Result<RecordBatch, ArrowError> {
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| change(column, field.data_type()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &rows)
}

/// Bytes of the values of a column, without the rest of the buffers that they lie in.
pub(crate) fn value_bytes(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8View => {
            let views = column.as_string_view();
            size_of_val::<[u128]>(views.views()) + views.total_buffer_bytes_used()
        }
        DataType::BinaryView => {
            let views = column.as_binary_view();
            size_of_val::<[u128]>(views.views()) + views.total_buffer_bytes_used()
        }
        _ => column.to_data().get_slice_memory_size().unwrap_or(0),
    }
}

/// The column in buffers of its own, where it holds far more than its values: a part of an array holds
/// the whole, and what LZ4 did not make smaller, as hashes in hexadecimal, is a part of all that was read
/// with it. Operators count all that their columns hold, the same buffer once for each of its parts.
pub(crate) fn own(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    const SPARE_BYTES_MAX: usize = 4096;
    let kind = column.data_type();
    let is_simple = !kind.is_nested() && !matches!(kind, DataType::Dictionary(..) | DataType::Null);
    let bytes = value_bytes(column);
    if !is_simple || column.get_array_memory_size() <= bytes + bytes / 2 + SPARE_BYTES_MAX {
        return Ok(column.clone());
    }
    Ok(match kind {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => {
            let data = column.to_data();
            let mut copy = MutableArrayData::new(vec![&data], false, data.len());
            copy.try_extend(0, 0, data.len())?;
            make_array(copy.freeze())
        }
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, StringArray, StringViewArray};

    use super::*;

    #[test]
    fn a_part_of_a_column_lets_go_of_the_rest_and_a_whole_one_is_not_copied() {
        let texts = || (0..10_000).map(|n| format!("a text that is longer than its view {n}"));
        let columns: [ArrayRef; 3] = [
            Arc::new(Int64Array::from_iter_values(0..10_000)),
            Arc::new(StringArray::from_iter_values(texts())),
            Arc::new(StringViewArray::from_iter_values(texts())),
        ];
        for whole in columns {
            assert!(Arc::ptr_eq(&own(&whole).expect("owned"), &whole), "{:?}", whole.data_type());
            let part = whole.slice(5_000, 100);
            let owned = own(&part).expect("owned");
            assert_eq!(&owned, &part);
            let (held, holds) = (part.get_array_memory_size(), owned.get_array_memory_size());
            assert!(held > 70_000 && holds < 12_000, "{held} to {holds} bytes");
        }
    }
}
