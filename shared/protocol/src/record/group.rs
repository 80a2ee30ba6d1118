use serde::{Deserialize, Serialize};

use crate::record::{Commit, ObjectIndex};

/// `done/<stage>/<group>`: what the tasks of a group have committed, in their order; objects of an
/// exchange, or commits of the last stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupIndex {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectIndex>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Commit>,
}

impl GroupIndex {
    /// Puts another group after this one.
    pub fn append(&mut self, mut next: Self) {
        self.objects.append(&mut next.objects);
        self.commits.append(&mut next.commits);
    }
}
