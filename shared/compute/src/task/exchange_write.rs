//! Writes an exchange object: slot after slot, each an Arrow IPC stream with LZ4, then the footer.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::CompressionType;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;
use tempfile::SpooledTempFile;
use tidemill_protocol::record::Footer;

use crate::error::Failure;

/// Rows of the batches in a slot.
const BATCH_ROWS: usize = 8192;

/// Bytes of a slot that are kept in memory; more go to the temporary folder.
const SLOT_MEMORY: usize = 1024 * 1024;

/// How the rows of a task are spread over the slots of its object.
pub(crate) enum Spreading {
    /// By the hash of some expressions.
    Hash(Box<BatchPartitioner>),
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

pub(crate) struct ExchangeWriter {
    slots: Vec<Slot>,
    spreading: Spreading,
    rows: u64,
}

impl ExchangeWriter {
    pub(crate) fn new(
        schema: &SchemaRef,
        slots: usize,
        spreading: Spreading,
    ) -> Result<Self, Failure> {
        let slots = (0..slots).map(|_| Slot::new(schema)).collect();
        Ok(Self { slots, spreading, rows: 0 })
    }

    /// Takes a batch of one of the task's partitions.
    pub(crate) fn write(&mut self, partition: usize, batch: RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        let slots = &mut self.slots;
        match &mut self.spreading {
            Spreading::Gather => slots[0].write(batch)?,
            Spreading::ByPartition => slots[partition].write(batch)?,
            Spreading::Hash(partitioner) => {
                partitioner.partition(batch, |slot, part| slots[slot].write(part))?;
            }
        }
        Ok(())
    }

    /// The object, its rows and its bytes.
    pub(crate) fn finish(self) -> Result<(File, u64, u64), Failure> {
        let mut file = tempfile::tempfile()?;
        let mut offsets = vec![0];
        let mut at = 0;
        for slot in self.slots {
            if let Some(mut bytes) = slot.finish()? {
                bytes.rewind()?;
                at += std::io::copy(&mut bytes, &mut file)?;
            }
            offsets.push(at);
        }
        let footer = Footer { offsets, rows: self.rows }.encode();
        file.write_all(&footer)?;
        file.rewind()?;
        Ok((file, self.rows, at + footer.len() as u64))
    }
}

/// The rows of one slot so far.
struct Slot {
    schema: SchemaRef,
    coalescer: BatchCoalescer,
    /// Opened with the first rows, so that an empty slot has no bytes.
    writer: Option<StreamWriter<SpooledTempFile>>,
}

impl Slot {
    fn new(schema: &SchemaRef) -> Self {
        let coalescer = BatchCoalescer::new(schema.clone(), BATCH_ROWS);
        Self { schema: schema.clone(), coalescer, writer: None }
    }

    fn write(&mut self, batch: RecordBatch) -> Result<(), DataFusionError> {
        if batch.num_columns() == 0 {
            return self.write_out(&batch); // rows without columns are only counted
        }
        self.coalescer.push_batch(batch)?;
        self.drain()
    }

    fn drain(&mut self) -> Result<(), DataFusionError> {
        while let Some(batch) = self.coalescer.next_completed_batch() {
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
                let spool = SpooledTempFile::new(SLOT_MEMORY);
                none.insert(StreamWriter::try_new_with_options(spool, &self.schema, options)?)
            }
        };
        Ok(writer.write(batch)?)
    }

    fn finish(mut self) -> Result<Option<SpooledTempFile>, DataFusionError> {
        if !self.schema.fields().is_empty() {
            self.coalescer.finish_buffered_batch()?;
            self.drain()?;
        }
        let Some(mut writer) = self.writer else { return Ok(None) };
        writer.finish()?;
        Ok(Some(writer.into_inner()?))
    }
}
