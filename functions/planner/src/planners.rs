use async_trait::async_trait;
use tidemill_compute::DataFusionEngine;
use tidemill_protocol::calls::CallPlanner;
use tidemill_protocol::job::Work;
use tidemill_protocol::record::Plan;
use tidemill_protocol::{EngineError, PlanRequest, Planner};

/// Who plans which work.
pub(crate) struct Planners {
    pub(crate) statements: DataFusionEngine,
    pub(crate) calls: CallPlanner,
}

#[async_trait]
impl Planner for Planners {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        match request.spec.work {
            Work::Statement(_) => self.statements.plan(request).await,
            Work::Calls(_) => self.calls.plan(request).await,
        }
    }
}
