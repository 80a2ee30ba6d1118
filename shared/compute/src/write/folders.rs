//! Partition folders: `name=value/`, as Hive and Spark write them and [`crate::table`] reads them.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{cast, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};

use crate::error::{Failure, refused};
use crate::table::HIVE_NULL;

/// The longest folder of one file, in bytes: a key has at most 1,024.
const FOLDER_BYTES_MAX: usize = 700;

/// Takes the partition columns out of batches.
pub(super) struct Folders {
    /// Their places in a batch.
    columns: Vec<usize>,
    names: Vec<String>,
    /// The places of the columns that stay.
    rest: Vec<usize>,
    rows: RowConverter,
    /// What was said before of the same values.
    known: HashMap<OwnedRow, String>,
}

impl Folders {
    /// # Errors
    /// A sentence, if a partition column is not among the columns, or none would be left.
    pub(super) fn new(schema: &Schema, partition_by: &[String]) -> Result<Self, Failure> {
        let columns = partition_by.iter().map(|name| place(schema, name));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let rest: Vec<_> = (0..schema.fields().len()).filter(|n| !columns.contains(n)).collect();
        if rest.is_empty() {
            return refused(
                "all columns are partition columns, so no column is left for the files",
            );
        }
        let fields = columns.iter().map(|c| SortField::new(schema.field(*c).data_type().clone()));
        let rows = RowConverter::new(fields.collect())?;
        let names = partition_by.iter().map(|name| encode(name)).collect();
        Ok(Self { columns, names, rest, rows, known: HashMap::new() })
    }

    /// The columns that stay in the files.
    pub(super) fn file_schema(&self, schema: &Schema) -> Result<Schema, Failure> {
        Ok(schema.project(&self.rest)?)
    }

    /// The rows of each folder, without the partition columns.
    pub(super) fn split(
        &mut self,
        batch: &RecordBatch,
    ) -> Result<Vec<(String, RecordBatch)>, Failure> {
        let keys: Vec<ArrayRef> = self.columns.iter().map(|c| batch.column(*c).clone()).collect();
        let rows = self.rows.convert_columns(&keys)?;
        let mut groups: Vec<(OwnedRow, Vec<u32>)> = vec![];
        let mut places: HashMap<OwnedRow, usize> = HashMap::new();
        for (number, row) in (0u32..).zip(rows.iter()) {
            // neighbours are mostly of one folder
            match groups.last_mut() {
                Some((last, numbers)) if last.row() == row => numbers.push(number),
                _ => {
                    let place = *places.entry(row.owned()).or_insert(groups.len());
                    if place == groups.len() {
                        groups.push((row.owned(), vec![]));
                    }
                    groups[place].1.push(number);
                }
            }
        }
        let rest = batch.project(&self.rest)?;
        let split = groups.into_iter().map(|(row, numbers)| {
            let folder = self.folder(row, &keys, numbers[0] as usize)?;
            Ok((folder, take_record_batch(&rest, &UInt32Array::from(numbers))?))
        });
        split.collect()
    }

    fn folder(
        &mut self,
        row: OwnedRow,
        keys: &[ArrayRef],
        number: usize,
    ) -> Result<String, Failure> {
        if let Some(known) = self.known.get(&row) {
            return Ok(known.clone());
        }
        let mut folder = String::new();
        for (name, key) in self.names.iter().zip(keys) {
            let value = cast(&key.slice(number, 1), &DataType::Utf8)?;
            let value = match value.is_null(0) {
                true => HIVE_NULL.to_owned(),
                false => encode(value.as_string::<i32>().value(0)),
            };
            folder.push_str(&format!("{name}={value}/"));
        }
        if folder.len() > FOLDER_BYTES_MAX {
            return refused(format!(
                "a value of the partition columns is too long for a key ({} bytes): {}…",
                folder.len(),
                folder.chars().take(60).collect::<String>()
            ));
        }
        self.known.insert(row, folder.clone());
        Ok(folder)
    }
}

fn place(schema: &Schema, name: &str) -> Result<usize, Failure> {
    if name.starts_with(['_', '.']) {
        return refused(format!(
            "column {name} cannot be a partition column: keys with a part that starts with _ or . \
             are no data; give it another name with AS"
        ));
    }
    schema.index_of(name).or_else(|_| {
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        refused(format!("partition column {name} is not among the columns: {}", names.join(", ")))
    })
}

/// Everything but letters, digits and a few signs is percent-encoded, as Hive does.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' | b'!' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::datatypes::Field;

    use super::*;

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("g", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
            Field::new("y", DataType::Int64, true),
        ]);
        let g = StringArray::from(vec![Some("a/b"), None, Some("a/b"), Some("é"), Some("a/b")]);
        let n = Int64Array::from(vec![1, 2, 3, 4, 5]);
        let y = Int64Array::from(vec![Some(7), Some(7), Some(7), Some(7), None]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(g), Arc::new(n), Arc::new(y)])
            .expect("a batch")
    }

    #[test]
    fn each_row_goes_to_the_folder_of_its_values() {
        let batch = batch();
        let by = ["y".to_owned(), "g".to_owned()];
        let mut folders = Folders::new(&batch.schema(), &by).expect("folders");
        let split = folders.split(&batch).expect("split");
        let found: Vec<_> = split.iter().map(|(f, b)| (f.as_str(), b.num_rows())).collect();
        assert_eq!(
            found,
            [
                ("y=7/g=a%2Fb/", 2),
                ("y=7/g=__HIVE_DEFAULT_PARTITION__/", 1),
                ("y=7/g=%C3%A9/", 1),
                ("y=__HIVE_DEFAULT_PARTITION__/g=a%2Fb/", 1)
            ]
        );
        assert_eq!(split[0].1.num_columns(), 1);
    }

    #[test]
    fn a_wrong_partition_column_is_refused_by_name() {
        let schema = batch().schema();
        for by in ["x", "_y"] {
            let why = Folders::new(&schema, &[by.to_owned()]).err().expect(by).to_string();
            assert!(why.contains(by), "{why}");
        }
        let all = ["g", "n", "y"].map(str::to_owned);
        assert!(Folders::new(&schema, &all).is_err());
    }
}
