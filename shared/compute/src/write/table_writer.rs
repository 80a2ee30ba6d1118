use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use tidemill_protocol::OutputFile;
use tidemill_protocol::bucket::Body;
use tidemill_protocol::job::{CsvOptions, Format};

use super::encoder::Encoder;
use super::folders::Folders;
use super::portable::Portable;
use super::target::Target;
use crate::error::Failure;

/// Bytes after which a file of a table is closed and the next one opened.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Files that are open at once: each takes a descriptor, of which a function on Lambda has 1,024.
const OPEN_FILES_MAX: usize = 256;

/// Writes the rows of one task into files, which lie in folders if the table has partition
/// columns.
pub(crate) struct TableWriter {
    portable: Portable,
    folders: Option<Folders>,
    file_schema: SchemaRef,
    format: Format,
    csv: CsvOptions,
    file_bytes: u64,
    /// Bytes that open files may hold in memory together.
    memory: usize,
    /// By folder.
    open: BTreeMap<String, Encoder>,
    /// How many files a folder has, the open one not included.
    finished: HashMap<String, u32>,
    files: Vec<OutputFile>,
}

impl TableWriter {
    /// A writer of one Parquet file: a part of a result.
    pub(crate) fn of_part(schema: &Schema, memory: usize) -> Result<Self, Failure> {
        let portable = Portable::new(schema);
        let file_schema = portable.schema.clone();
        Ok(Self {
            portable,
            folders: None,
            file_schema,
            format: Format::Parquet,
            csv: CsvOptions::default(),
            file_bytes: u64::MAX,
            memory,
            open: BTreeMap::new(),
            finished: HashMap::new(),
            files: vec![],
        })
    }

    /// A writer of files of a table.
    pub(crate) fn of_table(
        schema: &Schema,
        target: &Target,
        memory: usize,
    ) -> Result<Self, Failure> {
        let mut writer = Self::of_part(schema, memory)?;
        (writer.format, writer.csv) = (target.format, target.csv.clone());
        writer.file_bytes = FILE_BYTES;
        if !target.partition_by.is_empty() {
            let folders = Folders::new(&writer.file_schema, &target.partition_by)?;
            writer.file_schema = Arc::new(folders.file_schema(&writer.file_schema)?);
            writer.folders = Some(folders);
        }
        Ok(writer)
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let batch = self.portable.cast(batch)?;
        match &mut self.folders {
            None => self.write_to("", &batch),
            Some(folders) => {
                let split = folders.split(&batch)?;
                split.iter().try_for_each(|(folder, rows)| self.write_to(folder, rows))
            }
        }
    }

    fn write_to(&mut self, folder: &str, rows: &RecordBatch) -> Result<(), Failure> {
        if !self.open.contains_key(folder) {
            if self.open.len() >= OPEN_FILES_MAX {
                self.finish_largest()?;
            }
            let encoder = Encoder::new(&self.file_schema, self.format, &self.csv)?;
            self.open.insert(folder.to_owned(), encoder);
        }
        let Some(encoder) = self.open.get_mut(folder) else { return Ok(()) };
        encoder.write(rows)?;
        if encoder.bytes()? >= self.file_bytes {
            return self.finish_file(folder);
        }
        if self.open.values().map(Encoder::memory).sum::<usize>() > self.memory
            && let Some(fullest) = self.open.values_mut().max_by_key(|e| e.memory())
        {
            fullest.flush()?;
        }
        Ok(())
    }

    /// Makes room for another open file.
    fn finish_largest(&mut self) -> Result<(), Failure> {
        let mut largest = None;
        for (folder, encoder) in &self.open {
            largest = largest.max(Some((encoder.bytes()?, folder.clone())));
        }
        match largest {
            Some((_, folder)) => self.finish_file(&folder),
            None => Ok(()),
        }
    }

    fn finish_file(&mut self, folder: &str) -> Result<(), Failure> {
        let Some(encoder) = self.open.remove(folder) else { return Ok(()) };
        let encoded = encoder.finish()?;
        let number = self.finished.entry(folder.to_owned()).or_default();
        let name = format!("{folder}{number:03}.{}", extension(self.format));
        *number += 1;
        self.files.push(OutputFile {
            name,
            body: Body::Path(encoded.path),
            rows: encoded.rows,
            bytes: encoded.bytes,
        });
        Ok(())
    }

    /// The files; one without rows if there are none and `at_least_one` is asked for, where a file
    /// without rows can be.
    pub(crate) fn finish(mut self, at_least_one: bool) -> Result<Vec<OutputFile>, Failure> {
        let is_empty = self.files.is_empty() && self.open.is_empty();
        // a JSON file of no rows has no bytes, and a partition without a value no folder
        if is_empty && at_least_one && self.folders.is_none() && self.format != Format::Json {
            self.write_to("", &RecordBatch::new_empty(self.file_schema.clone()))?;
        }
        while let Some(folder) = self.open.keys().next().cloned() {
            self.finish_file(&folder)?;
        }
        Ok(self.files)
    }
}

fn extension(format: Format) -> &'static str {
    match format {
        Format::Parquet => "parquet",
        Format::Csv => "csv",
        Format::Json => "json",
    }
}
