//! What the footers of a table's files tell before a row is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Statistics;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion_proto_common::protobuf_common as protobuf;
use prost::Message;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Statistics of a Parquet file or table, by the columns of a schema.
#[derive(Debug, Clone)]
pub(crate) struct FileStatistics {
    pub(crate) statistics: Statistics,
    /// Bytes of each column as it is stored.
    pub(crate) stored: Vec<u64>,
    /// Bytes of each column in the row group where it has most.
    pub(crate) largest: Vec<u64>,
    /// Row groups.
    pub(crate) groups: u64,
}

impl FileStatistics {
    /// Of one file, by the columns of `schema`, which is the file's own.
    pub(crate) fn of(
        metadata: &ParquetMetaData,
        schema: &SchemaRef,
    ) -> datafusion::common::Result<Self> {
        let statistics = DFParquetMetadata::statistics_from_parquet_metadata(metadata, schema)?;
        let mut stored = vec![0; schema.fields().len()];
        let mut largest = stored.clone();
        for group in metadata.row_groups() {
            let before = stored.clone();
            for column in group.columns() {
                // a nested column has several leaves
                let root = column.column_path().parts().first();
                if let Some((n, _)) = root.and_then(|name| schema.column_with_name(name)) {
                    stored[n] += u64::try_from(column.compressed_size()).unwrap_or(0);
                }
            }
            for (n, largest) in largest.iter_mut().enumerate() {
                *largest = stored[n].saturating_sub(before[n]).max(*largest);
            }
        }
        Ok(Self { statistics, stored, largest, groups: metadata.num_row_groups() as u64 })
    }

    /// The same by the columns of another schema. Nothing is known of a column that the file has
    /// with another type.
    pub(crate) fn project(&self, own: &Schema, to: &Schema) -> Self {
        let mut statistics = Statistics::new_unknown(to);
        statistics.num_rows = self.statistics.num_rows;
        let mut stored = vec![0; to.fields().len()];
        let mut largest = stored.clone();
        for (n, field) in to.fields().iter().enumerate() {
            let Some((at, theirs)) = own.column_with_name(field.name()) else { continue };
            (stored[n], largest[n]) = (self.stored[at], self.largest[at]);
            if theirs.data_type() == field.data_type() {
                statistics.column_statistics[n] = self.statistics.column_statistics[at].clone();
            }
        }
        Self { statistics, stored, largest, groups: self.groups }
    }

    /// Of all files of a table together.
    pub(crate) fn merge(files: &[(Schema, Self)], schema: &Schema) -> Option<Self> {
        let projected: Vec<_> = files.iter().map(|(own, file)| file.project(own, schema)).collect();
        let all = projected.iter().map(|p| &p.statistics);
        let statistics = Statistics::try_merge_iter(all, schema).ok()?;
        let stored = (0..schema.fields().len())
            .map(|n| projected.iter().map(|p| p.stored[n]).sum())
            .collect();
        let largest = (0..schema.fields().len())
            .map(|n| projected.iter().map(|p| p.largest[n]).max().unwrap_or(0))
            .collect();
        let groups = projected.iter().map(|p| p.groups).sum();
        Some(Self { statistics, stored, largest, groups })
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// A `datafusion-proto` record, in base64.
    statistics: String,
    stored: Vec<u64>,
    #[serde(default)]
    largest: Vec<u64>,
    #[serde(default)]
    groups: u64,
}

impl Serialize for FileStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let statistics = protobuf::Statistics::from(&self.statistics).encode_to_vec();
        let (stored, largest) = (self.stored.clone(), self.largest.clone());
        Stored { statistics: STANDARD.encode(statistics), stored, largest, groups: self.groups }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileStatistics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { statistics, stored, mut largest, groups } = Stored::deserialize(deserializer)?;
        let bytes = STANDARD.decode(statistics).map_err(D::Error::custom)?;
        let encoded = protobuf::Statistics::decode(&bytes[..]).map_err(D::Error::custom)?;
        let statistics = Statistics::try_from(&encoded).map_err(D::Error::custom)?;
        largest.resize(stored.len(), 0);
        Ok(Self { statistics, stored, largest, groups })
    }
}
