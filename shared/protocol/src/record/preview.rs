use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Column;

/// `_preview.json`: the first rows of a result, at most 100 and about 64 KiB of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    pub columns: Vec<Column>,
    /// Values as people read them, so that no reader rounds a number.
    pub rows: Vec<Vec<Option<String>>>,
}
