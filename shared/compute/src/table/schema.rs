use std::io::Cursor;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A schema that is stored as an Arrow IPC stream without batches, in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncodedSchema(pub(crate) SchemaRef);

impl EncodedSchema {
    pub(crate) fn to_bytes(schema: &Schema) -> Result<Vec<u8>, ArrowError> {
        let mut writer = StreamWriter::try_new(vec![], schema)?;
        writer.finish()?;
        writer.into_inner()
    }

    pub(crate) fn to_base64(&self) -> Result<String, ArrowError> {
        Ok(STANDARD.encode(Self::to_bytes(&self.0)?))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<SchemaRef, ArrowError> {
        Ok(StreamReader::try_new(Cursor::new(bytes), None)?.schema())
    }
}

impl From<Schema> for EncodedSchema {
    fn from(schema: Schema) -> Self {
        Self(Arc::new(schema))
    }
}

impl Serialize for EncodedSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64().map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for EncodedSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Self::from_bytes(&bytes).map(Self).map_err(D::Error::custom)
    }
}
