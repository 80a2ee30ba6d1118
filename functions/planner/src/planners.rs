use async_trait::async_trait;
use tidemill_compute::DataFusionEngine;
use tidemill_protocol::calls::{CallPlan, CallPlanner, CallTable};
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
            Work::Calls(_) => {
                let mut plan = self.calls.plan(request).await?;
                if let Some(folder) = &request.spec.into {
                    let (publication, columns) = self.statements.pin_table(request, folder).await?;
                    CallPlan::publish(&mut plan, CallTable { columns }, publication)?;
                }
                Ok(plan)
            }
        }
    }
}
