//! Writes an exchange object: slot after slot, each an Arrow IPC stream with LZ4, then the footer.

use std::fs::File;
use std::io::{Read as _, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::{BatchCoalescer, take_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::CompressionType;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;
use tempfile::SpooledData;
use tidemill_protocol::bucket::Body;
use tidemill_protocol::record::{Footer, Usage};

use crate::columns::value_bytes;
use crate::error::Failure;

/// Rows of the batches in a slot: fewer where many slots have little memory.
const BATCH_ROWS: std::ops::RangeInclusive<usize> = 256..=8192;

/// An object of fewer bytes is no file before it is committed.
const IN_MEMORY_BYTES_MAX: usize = 1024 * 1024;

/// How the rows of a task are spread over the slots of its object.
pub(crate) enum Spreading {
    /// By the hash of some expressions.
    Hash(Box<BatchPartitioner>),
    /// One after another; the next goes into this slot.
    InTurn(usize),
    /// Partition `p` into slot `p`, in its order.
    ByPartition,
    /// All into slot 0.
    Gather,
}

impl Spreading {
    pub(crate) fn hash(
        expressions: Vec<Arc<dyn PhysicalExpr>>,
        slots: usize,
    ) -> Result<Self, DataFusionError> {
        let partitioner = BatchPartitioner::new_hash_partitioner(expressions, slots, Time::new())?;
        Ok(Self::Hash(Box::new(partitioner)))
    }
}

/// Writes the slots of one of the `tasks` tasks of a stage, holding `memory` bytes of them.
pub(crate) struct ExchangeWriter {
    slots: Vec<Slot>,
    spreading: Spreading,
    rows: u64,
    /// Bytes that a batch of a slot may have.
    batch_bytes: usize,
    /// Rows of a batch, once the first rows told how large they are.
    batch_rows: Option<usize>,
    spill: Option<Spill>,
    /// Bytes that the slots may hold together before they are written to the temporary folder.
    memory: usize,
}

impl ExchangeWriter {
    pub(crate) fn new(
        schema: &SchemaRef,
        slots: usize,
        tasks: usize,
        spreading: Spreading,
        memory: usize,
    ) -> Result<Self, Failure> {
        // a slot has room for the rows of its next batch from the start, and whoever merges the slots
        // of all tasks holds a batch of each
        let merged =
            if matches!(spreading, Spreading::Hash(_) | Spreading::InTurn(_)) { 1 } else { tasks };
        let batch_bytes = memory / slots.max(merged).max(1);
        let slots = (0..slots).map(|_| Slot::new(schema)).collect();
        Ok(Self { slots, spreading, rows: 0, batch_bytes, batch_rows: None, spill: None, memory })
    }

    /// Takes a batch of one of the task's partitions.
    pub(crate) fn write(&mut self, partition: usize, batch: RecordBatch) -> Result<(), Failure> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.rows += batch.num_rows() as u64;
        let slots = &mut self.slots;
        let count = slots.len();
        let rows = *self.batch_rows.get_or_insert_with(|| {
            (self.batch_bytes / row_bytes(&batch)).clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end())
        });
        match &mut self.spreading {
            Spreading::Gather => slots[0].write(batch, rows)?,
            Spreading::InTurn(next) => {
                for (number, slot) in slots.iter_mut().enumerate() {
                    let first = (number + count - *next % count) % count;
                    let rows_of_slot = (first..batch.num_rows()).step_by(count);
                    let places: UInt32Array =
                        rows_of_slot.filter_map(|n| u32::try_from(n).ok()).collect();
                    if !places.is_empty() {
                        slot.write(take_record_batch(&batch, &places)?, rows)?;
                    }
                }
                *next = (*next + batch.num_rows()) % count;
            }
            Spreading::ByPartition => slots[partition].write(batch, rows)?,
            Spreading::Hash(partitioner) => {
                partitioner.partition(batch, |slot, part| slots[slot].write(part, rows))?;
            }
        }
        if self.slots.iter().map(Slot::bytes).sum::<usize>() > self.memory {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), Failure> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::new(self.slots.len())?),
        };
        for (number, slot) in self.slots.iter_mut().enumerate() {
            spill.append(number, &slot.take())?;
        }
        Ok(())
    }

    /// The object, its bytes and its footer.
    pub(crate) fn finish(self, usage: Usage) -> Result<(Body, u64, Footer), Failure> {
        let mut file = tempfile::spooled_tempfile(IN_MEMORY_BYTES_MAX);
        let mut offsets = vec![0];
        let mut at = 0;
        for (number, slot) in self.slots.into_iter().enumerate() {
            let rest = slot.finish()?;
            if let Some(spill) = &self.spill {
                at += spill.copy(number, &mut file)?;
            }
            file.write_all(&rest)?;
            at += rest.len() as u64;
            offsets.push(at);
        }
        let footer = Footer { offsets, rows: self.rows, usage };
        let encoded = footer.encode();
        file.write_all(&encoded)?;
        file.rewind()?;
        let body = match file.into_inner() {
            SpooledData::InMemory(bytes) => Body::Bytes(bytes.into_inner().into()),
            SpooledData::OnDisk(file) => Body::File(file),
        };
        Ok((body, at + encoded.len() as u64, footer))
    }
}

/// How many bytes a row of a batch has on average.
fn row_bytes(batch: &RecordBatch) -> usize {
    let bytes = batch.columns().iter().map(value_bytes);
    (bytes.sum::<usize>() / batch.num_rows().max(1)).max(1)
}

/// What the slots had no room for, in one file.
struct Spill {
    file: File,
    end: u64,
    /// The pieces of each slot.
    pieces: Vec<Vec<Range<u64>>>,
}

impl Spill {
    fn new(slots: usize) -> std::io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, end: 0, pieces: vec![vec![]; slots] })
    }

    fn append(&mut self, slot: usize, bytes: &[u8]) -> std::io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all(bytes)?;
        let end = self.end + bytes.len() as u64;
        self.pieces[slot].push(self.end..end);
        self.end = end;
        Ok(())
    }

    /// Copies the pieces of a slot; how many bytes they have.
    fn copy(&self, slot: usize, to: &mut impl Write) -> std::io::Result<u64> {
        let mut from = &self.file;
        let mut copied = 0;
        for piece in &self.pieces[slot] {
            from.seek(SeekFrom::Start(piece.start))?;
            copied += std::io::copy(&mut from.take(piece.end - piece.start), to)?;
        }
        Ok(copied)
    }
}

/// The rows of one slot that have not been spilled.
struct Slot {
    schema: SchemaRef,
    coalescer: Option<BatchCoalescer>,
    /// Opened with the first rows, so that an empty slot has no bytes.
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl Slot {
    fn new(schema: &SchemaRef) -> Self {
        Self { schema: schema.clone(), coalescer: None, writer: None }
    }

    /// Takes rows, which are written `rows` at a time.
    fn write(&mut self, batch: RecordBatch, rows: usize) -> Result<(), DataFusionError> {
        if batch.num_columns() == 0 {
            return self.write_out(&batch); // rows without columns are only counted
        }
        let new = || BatchCoalescer::new(self.schema.clone(), rows);
        self.coalescer.get_or_insert_with(new).push_batch(batch)?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), DataFusionError> {
        while let Some(batch) =
            self.coalescer.as_mut().and_then(BatchCoalescer::next_completed_batch)
        {
            self.write_out(&batch)?;
        }
        Ok(())
    }

    fn write_out(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let options = IpcWriteOptions::default()
                    .try_with_compression(Some(CompressionType::LZ4_FRAME))?;
                none.insert(StreamWriter::try_new_with_options(vec![], &self.schema, options)?)
            }
        };
        Ok(writer.write(batch)?)
    }

    fn bytes(&self) -> usize {
        self.writer.as_ref().map_or(0, |w| w.get_ref().len())
    }

    /// The bytes so far, which make room for more.
    fn take(&mut self) -> Vec<u8> {
        self.writer.as_mut().map(|w| std::mem::take(w.get_mut())).unwrap_or_default()
    }

    fn finish(mut self) -> Result<Vec<u8>, DataFusionError> {
        if let Some(coalescer) = &mut self.coalescer {
            coalescer.finish_buffered_batch()?;
            self.drain()?;
        }
        let Some(mut writer) = self.writer else { return Ok(vec![]) };
        writer.finish()?;
        Ok(writer.into_inner()?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::arrow::ipc::reader::StreamReader;
    use datafusion::physical_plan::expressions::col;

    use super::*;

    /// The rows of each slot of an object that was written with so much memory.
    fn slots(memory: usize) -> Vec<usize> {
        let fields =
            vec![Field::new("n", DataType::Int64, false), Field::new("s", DataType::Utf8, false)];
        let schema = Arc::new(Schema::new(fields));
        let spreading = Spreading::hash(vec![col("n", &schema).expect("n")], 5).expect("hash");
        let mut writer = ExchangeWriter::new(&schema, 5, 1, spreading, memory).expect("a writer");
        for part in 0..40 {
            let numbers: Vec<i64> = (part * 1000..part * 1000 + 1000).collect();
            let texts = numbers.iter().map(|n| format!("text {}", n * 7919)).collect::<Vec<_>>();
            let columns: Vec<datafusion::arrow::array::ArrayRef> =
                vec![Arc::new(Int64Array::from(numbers)), Arc::new(StringArray::from(texts))];
            let batch = RecordBatch::try_new(schema.clone(), columns).expect("a batch");
            writer.write(0, batch).expect("written");
        }
        let (body, size, written) = writer.finish(Usage::default()).expect("an object");
        let mut bytes = vec![];
        match body {
            Body::Bytes(kept) => bytes.extend(kept),
            Body::File(mut file) => _ = file.read_to_end(&mut bytes).expect("read"),
            Body::Path(_) => unreachable!("an exchange has no path"),
        }
        assert_eq!((written.rows, size), (40_000, bytes.len() as u64));
        let footer = Footer::decode(&bytes, size).expect("a footer");
        assert_eq!(footer, written);
        let slot = |ends: &[u64]| &bytes[ends[0] as usize..ends[1] as usize];
        let count = |bytes| StreamReader::try_new(bytes, None).expect("a stream");
        let rows = |ends| count(slot(ends)).map(|b| b.expect("a batch").num_rows()).sum();
        footer.offsets.windows(2).map(rows).collect()
    }

    #[test]
    fn an_object_is_the_same_whether_its_slots_were_spilled_or_not() {
        let (spilled, kept) = (slots(10_000), slots(1 << 30));
        assert_eq!(spilled, kept);
        assert_eq!(spilled.iter().sum::<usize>(), 40_000);
    }

    #[test]
    fn whoever_merges_the_slots_of_all_tasks_has_room_for_a_batch_of_each() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let numbers = || Arc::new(Int64Array::from_iter_values(0..20_000));
        let largest = |tasks, spreading| {
            let memory = 320_000;
            let mut writer =
                ExchangeWriter::new(&schema, 1, tasks, spreading, memory).expect("a writer");
            let batch = RecordBatch::try_new(schema.clone(), vec![numbers()]).expect("a batch");
            writer.write(0, batch).expect("written");
            let Body::Bytes(bytes) = writer.finish(Usage::default()).expect("an object").0 else {
                unreachable!("it is small")
            };
            let batches = StreamReader::try_new(&bytes[..], None).expect("a stream");
            batches.map(|b| b.expect("a batch").num_rows()).max()
        };
        assert_eq!(largest(1, Spreading::Gather), Some(8_192));
        assert_eq!(largest(40, Spreading::Gather), Some(1_000));
        assert_eq!(largest(4_000, Spreading::ByPartition), Some(256));
        let hash = Spreading::hash(vec![col("n", &schema).expect("n")], 1).expect("hash");
        assert_eq!(largest(4_000, hash), Some(8_192), "nobody merges those");
    }
}
