//! A Parquet file whose columns are encoded beside each other: `ArrowWriter` of parquet 59 encodes one after
//! another, and that is most of what a task does that writes many rows. Measured on two cores, 10 million rows of
//! five columns: see BENCHMARKS.md, "Statements from Python".

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::Result;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::file::writer::SerializedFileWriter;

/// Rows of a row group: enough for a column chunk to be worth a request, few enough for a reader to
/// take a part of the file.
const GROUP_ROWS: usize = 1024 * 1024;

/// So many rows, or bytes, are worth threads.
const ENCODED_ROWS: usize = 128 * 1024;
const ENCODED_BYTES: usize = 16 << 20;

/// A file that is being written.
pub(super) struct ParquetFile {
    file: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    /// Those of the open row group.
    columns: Vec<ArrowColumnWriter>,
    /// How many rows they have, those of `waiting` too.
    rows: usize,
    /// What is not encoded yet.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    threads: usize,
}

impl ParquetFile {
    pub(super) fn new(file: File, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
        let (file, factory) = writer.into_serialized_writer()?;
        let columns = factory.create_column_writers(0)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            threads: threads.min(columns.len()),
            file,
            factory,
            schema: schema.clone(),
            columns,
            rows: 0,
            waiting: vec![],
            waiting_rows: 0,
            waiting_bytes: 0,
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = (GROUP_ROWS - self.rows).min(batch.num_rows() - from);
            let part = batch.slice(from, rows);
            from += rows;
            self.rows += rows;
            self.waiting_rows += rows;
            self.waiting_bytes += part.get_array_memory_size() * rows / batch.num_rows();
            self.waiting.push(part);
            if self.rows == GROUP_ROWS {
                self.flush()?;
            } else if self.waiting_rows >= ENCODED_ROWS || self.waiting_bytes >= ENCODED_BYTES {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Encodes what waits, each column by whichever thread is free.
    fn encode(&mut self) -> Result<()> {
        let mut leaves: Vec<Vec<ArrowLeafColumn>> = self.columns.iter().map(|_| vec![]).collect();
        for batch in self.waiting.drain(..) {
            let fields = self.schema.fields().iter().zip(batch.columns());
            let mut of_batch = vec![];
            for (field, array) in fields {
                of_batch.extend(compute_leaves(field, array)?);
            }
            leaves.iter_mut().zip(of_batch).for_each(|(all, leaf)| all.push(leaf));
        }
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let work = Mutex::new(self.columns.iter_mut().zip(leaves));
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        let encode = || {
            while let Some((column, leaves)) = next() {
                leaves.iter().try_for_each(|leaf| column.write(leaf))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads).map(|_| scope.spawn(encode)).collect();
            let ours: Result<()> = encode();
            others.into_iter().fold(ours, |done, other| {
                let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                done.and(theirs)
            })
        })
    }

    /// Ends the row group, if there is any row in it.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.encode()?;
        self.rows = 0;
        let mut group = self.file.next_row_group()?;
        for column in self.columns.drain(..) {
            column.close()?.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.columns = self.factory.create_column_writers(self.file.flushed_row_groups().len())?;
        Ok(())
    }

    /// Bytes of the file, about.
    pub(super) fn bytes(&self) -> usize {
        let open: usize =
            self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
        self.file.bytes_written() + open + self.waiting_bytes
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> usize {
        let open: usize = self.columns.iter().map(ArrowColumnWriter::memory_size).sum();
        open + self.waiting_bytes
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.file.close()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use datafusion::arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, StructArray};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::{Field, Int64Type};
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    fn batch(rows: i64, from: i64) -> RecordBatch {
        let numbers: ArrayRef =
            Arc::new(Int64Array::from_iter((from..from + rows).map(|n| (n % 7 != 0).then_some(n))));
        let texts: ArrayRef = Arc::new(
            (from..from + rows).map(|n| Some(format!("text {}", n % 100))).collect::<StringArray>(),
        );
        let lists = (from..from + rows)
            .map(|n| (n % 5 != 0).then(|| (0..n % 3).map(Some).collect::<Vec<_>>()));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
        let field = |name: &str, array: &ArrayRef| {
            Arc::new(Field::new(name, array.data_type().clone(), true))
        };
        let pair: ArrayRef = Arc::new(StructArray::from(vec![
            (field("x", &numbers), numbers.clone()),
            (field("y", &texts), texts.clone()),
        ]));
        RecordBatch::try_from_iter_with_nullable([
            ("n", numbers, true),
            ("t", texts, true),
            ("l", lists, true),
            ("p", pair, true),
        ])
        .expect("a batch")
    }

    #[test]
    fn what_is_written_in_pieces_of_any_size_is_read_again() {
        let sizes = [1, 8192, 100_000, 0, 300_000, 700_000, 5];
        let mut from = 0;
        let mut all = vec![];
        for rows in sizes {
            all.push(batch(rows, from));
            from += rows;
        }
        let schema = all[0].schema();
        let (file, path) = tempfile::NamedTempFile::new().expect("a file").into_parts();
        let mut written = ParquetFile::new(file, &schema).expect("a writer");
        for each in &all {
            written.write(each).expect("written");
        }
        assert!(written.memory() > 0 && written.bytes() > 0);
        written.finish().expect("finished");
        let opened = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("a file"));
        let opened = opened.expect("Parquet");
        let groups: Vec<_> = opened.metadata().row_groups().iter().map(|g| g.num_rows()).collect();
        assert_eq!(groups, [1024 * 1024, 59_622]);
        let read: Vec<_> = opened.build().expect("a reader").map(|b| b.expect("rows")).collect();
        let whole = |batches: &[RecordBatch]| concat_batches(&schema, batches).expect("one batch");
        assert_eq!(whole(&read), whole(&all));
    }
}
