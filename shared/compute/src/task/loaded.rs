use std::sync::{Arc, OnceLock};

use tidemill_protocol::StageId;

use crate::engine_plan::EnginePlan;
use crate::error::Failure;
use crate::stage::Fragment;
use crate::store::PinnedFiles;

/// A run's plan, with what its tasks share in one process: a stage may have thousands of them.
#[derive(Debug)]
pub(crate) struct LoadedPlan {
    pub(crate) plan: EnginePlan,
    /// By table.
    files: Vec<OnceLock<Arc<PinnedFiles>>>,
}

impl LoadedPlan {
    pub(crate) fn new(plan: EnginePlan) -> Self {
        let files = plan.tables.iter().map(|_| OnceLock::new()).collect();
        Self { plan, files }
    }

    pub(crate) fn fragment(&self, stage: StageId) -> Option<&Fragment> {
        self.plan.fragments.get(usize::from(stage.0))
    }

    /// The pinned files of a table.
    ///
    /// # Errors
    /// A key is no path.
    pub(crate) fn files(&self, table: usize) -> Result<Arc<PinnedFiles>, Failure> {
        if let Some(known) = self.files[table].get() {
            return Ok(known.clone());
        }
        let files = Arc::new(self.plan.tables[table].pinned_files()?);
        Ok(self.files[table].get_or_init(|| files).clone())
    }
}
