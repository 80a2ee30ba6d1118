use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to read a table: `_schema.json` in its folder, or `tables.<name>` in a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOptions {
    /// The folder or pattern that the table is, if not `tables/<name>/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// All columns of the files, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
}

impl TableOptions {
    /// These options, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            location: self.location.or(other.location),
            format: self.format.or(other.format),
            columns: self.columns.or(other.columns),
            csv: self.csv.or(other.csv),
        }
    }
}

/// Whether a table that the SQL reads, as it has the name, is the one that a job calls so.
pub fn is_named(known: &str, name: &str) -> bool {
    let is_folded = !name.bytes().any(|b| b.is_ascii_uppercase());
    known == name || (is_folded && known.eq_ignore_ascii_case(name))
}

/// The format of the files of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Parquet,
    Csv,
    Json,
}

/// A declared column. The type is an SQL type, e.g. `bigint` or `decimal(12, 2)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub sql_type: String,
}

/// The dialect of CSV files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// Whether the first line names the columns.
    pub header: bool,
    pub delimiter: char,
    pub quote: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// Lines that start with it are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<char>,
    /// Whether a large file may be read in parts. Not, if its fields hold single quotes.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub split: bool,
    /// The text that means null, besides an empty field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            header: true,
            delimiter: ',',
            quote: '"',
            escape: None,
            comment: None,
            split: true,
            null: None,
        }
    }
}
