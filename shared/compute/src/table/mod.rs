//! Tables: which files a name in the SQL stands for, and what their columns are.

mod adapt;
mod files;
mod foreign;
mod in_key;
mod infer;
mod lines;
mod locate;
mod parquet;
mod provider;
mod readable;
mod schema;
mod split;
mod statistics;
mod text;
mod unify;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use serde::{Deserialize, Serialize};
use tidemill_protocol::job::{CsvOptions, Format};

pub(crate) use files::HIVE_NULL;
pub(crate) use infer::{dialect, find, pin, title};
pub(crate) use locate::{Location, Reference, references};
pub(crate) use parquet::PARQUET_FOOTER_BYTES;
pub(crate) use provider::{
    adapter, compression, file_group, probe, register, register_store, table_number, table_of_url,
};
pub(crate) use readable::check_columns;
pub(crate) use schema::EncodedSchema;
pub(crate) use split::Split;
pub(crate) use statistics::FileStatistics;
pub(crate) use text::{
    CsvDecoder, Decoder, Fields, HEADER_BYTES_MAX, Header, JsonDecoder, Problem, TextSource,
    Unreadable, places, widened,
};

/// A table as the plan pins it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    /// As the SQL says it.
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) csv: CsvOptions,
    /// Lines of text that cannot be read are set aside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) quarantine: bool,
    /// The columns of its text files are not declared: their types may turn out to be too narrow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) inferred: bool,
    /// The columns in the files.
    pub(crate) schema: EncodedSchema,
    /// The columns in the keys (`name=value/`), after those in the files.
    pub(crate) partition_columns: Vec<PartitionColumn>,
    pub(crate) files: Vec<TableFile>,
    /// If all files tell: none of a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statistics: Option<FileStatistics>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionColumn {
    pub(crate) name: String,
    pub(crate) kind: PartitionKind,
}

/// The type of a partition column: the narrowest that all of its values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartitionKind {
    Bigint,
    Date,
    Text,
}

impl PartitionKind {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Bigint => DataType::Int64,
            Self::Date => DataType::Date32,
            Self::Text => DataType::Utf8,
        }
    }
}

/// One version of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TableFile {
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// As the store gives it, with quotes.
    pub(crate) etag: String,
    pub(crate) gzip: bool,
    /// One value for each partition column; `None` is null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<Option<String>>,
    /// Where a CSV file may be cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lines: Vec<u64>,
}

impl Table {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }

    /// Stored bytes of some columns, by their place in the schema; all of a text file has to be
    /// read for any.
    pub(crate) fn bytes_of(&self, columns: Option<&[usize]>) -> u64 {
        match (&self.statistics, columns) {
            (Some(known), Some(columns)) => {
                columns.iter().filter_map(|c| known.stored.get(*c)).sum()
            }
            _ => self.bytes(),
        }
    }

    /// Its rows by its files, or a guess: by bytes of a value with its separator, or its name. The
    /// sides of joins are compared by them.
    pub(crate) fn rows(&self) -> usize {
        let known = self.statistics.as_ref().and_then(|s| s.statistics.num_rows.get_value());
        if let Some(rows) = known {
            return *rows;
        }
        const GZIP_RATIO: u64 = 5;
        let value = match self.format {
            Format::Parquet => 4,
            Format::Csv => 8,
            Format::Json => 24,
        };
        let bytes = |file: &TableFile| if file.gzip { GZIP_RATIO * file.size } else { file.size };
        let row = value * self.schema.0.fields().len().max(1) as u64;
        let rows = self.files.iter().map(bytes).sum::<u64>() / row;
        usize::try_from(rows).unwrap_or(usize::MAX)
    }

    /// Whether a scan of its files has to decompress them: else its store has.
    pub(crate) fn is_read_compressed(&self, gzip: bool) -> bool {
        gzip && self.format != Format::Parquet && !self.quarantine
    }

    pub(crate) fn file_schema(&self) -> SchemaRef {
        self.schema.0.clone()
    }
}
