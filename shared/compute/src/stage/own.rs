use std::sync::Arc;

use datafusion::arrow::array::types::{BinaryViewType, ByteViewType, StringViewType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, make_array};
use datafusion::arrow::datatypes::DataType;

/// The column in buffers of its own, where it holds far more than its values: a part of an array holds
/// the whole, and what LZ4 did not make smaller, as hashes in hexadecimal, is a part of all that was read
/// with it. Operators count all that their columns hold, the same buffer once for each of its parts.
pub(super) fn own(column: ArrayRef) -> ArrayRef {
    let kind = column.data_type();
    if kind.is_nested() || matches!(kind, DataType::Dictionary(..) | DataType::Null) {
        return column;
    }
    let views =
        own_views::<StringViewType>(&column).or_else(|| own_views::<BinaryViewType>(&column));
    views.unwrap_or_else(|| {
        let data = column.to_data();
        let is_own = data.get_slice_memory_size().map_or(true, |bytes| is_own(&column, bytes));
        if is_own {
            return column;
        }
        let mut copy = MutableArrayData::new(vec![&data], false, data.len());
        match copy.try_extend(0, 0, data.len()) {
            Ok(()) => make_array(copy.freeze()),
            Err(_) => column,
        }
    })
}

fn own_views<T: ByteViewType>(column: &ArrayRef) -> Option<ArrayRef> {
    let views = column.as_byte_view_opt::<T>()?;
    let bytes = size_of_val::<[u128]>(views.views()) + views.total_buffer_bytes_used();
    Some(if is_own(column, bytes) { column.clone() } else { Arc::new(views.gc()) })
}

/// Whether a column of so many bytes holds about as many.
fn is_own(column: &ArrayRef, bytes: usize) -> bool {
    const LITTLE: usize = 4096;
    column.get_array_memory_size() <= bytes + bytes / 2 + LITTLE
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
            assert!(Arc::ptr_eq(&own(whole.clone()), &whole), "{:?}", whole.data_type());
            let part = whole.slice(5_000, 100);
            let owned = own(part.clone());
            assert_eq!(&owned, &part);
            let (held, holds) = (part.get_array_memory_size(), owned.get_array_memory_size());
            assert!(held > 70_000 && holds < 12_000, "{held} to {holds} bytes");
        }
    }
}
