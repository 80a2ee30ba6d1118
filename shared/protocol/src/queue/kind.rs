use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::Workers;

/// Which worker runs a task: each kind is a function with a queue of its own.
///
/// A new kind is a line in each match below and in the table of queue variables, a queue and a function
/// in the template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerKind {
    /// Executes stages of statements.
    #[default]
    Normal,
    /// The same with more memory.
    Large,
    /// Makes calls of Python functions.
    Python,
    /// The same with more memory.
    LargePython,
    /// Executes stages of statements that call functions of Python.
    PythonSql,
}

impl WorkerKind {
    /// All that there are.
    pub const ALL: [Self; 5] =
        [Self::Normal, Self::Large, Self::Python, Self::LargePython, Self::PythonSql];

    /// As `TIDEMILL_WORKER_KIND` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Large => "large",
            Self::Python => "python",
            Self::LargePython => "large-python",
            Self::PythonSql => "python-sql",
        }
    }

    /// The kind of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Where a task goes that needs more memory, if there is more.
    pub fn larger(self) -> Option<Self> {
        match self {
            Self::Normal => Some(Self::Large),
            Self::Python => Some(Self::LargePython),
            Self::Large | Self::LargePython | Self::PythonSql => None,
        }
    }

    /// Whether several tiny tasks may share a message: they wait for the bucket, and not for each other.
    pub(crate) fn shares_messages(self) -> bool {
        match self {
            Self::Normal | Self::Large => true,
            Self::Python | Self::LargePython | Self::PythonSql => false,
        }
    }

    /// Whether such a worker may write into tables, which are their users': not where code of users runs.
    pub(crate) fn publishes(self) -> bool {
        match self {
            Self::Normal | Self::Large => true,
            Self::Python | Self::LargePython | Self::PythonSql => false,
        }
    }

    /// Whether such a worker executes what is for another kind.
    pub(crate) fn executes(self, other: Self) -> bool {
        self == other || other.larger() == Some(self)
    }

    /// Memory of such a worker, in MiB.
    pub fn mib(self, workers: &Workers) -> u32 {
        match self {
            Self::Normal => workers.mib,
            Self::Large => workers.large_mib,
            Self::Python => workers.python_mib,
            Self::LargePython => workers.large_python_mib,
            Self::PythonSql => workers.python_sql_mib,
        }
    }

    /// For stages that do not say.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_there_is_an_end_of_larger_ones() {
        for kind in WorkerKind::ALL {
            assert_eq!(WorkerKind::of_name(kind.name()), Some(kind));
            let larger = kind.larger();
            assert_eq!(larger.and_then(WorkerKind::larger), None);
            let workers = Workers::default();
            assert!(larger.is_none_or(|l| l.mib(&workers) > kind.mib(&workers)));
        }
        assert_eq!(WorkerKind::of_name("huge"), None);
    }
}
