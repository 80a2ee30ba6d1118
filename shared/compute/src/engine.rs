use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;
use tidemill_protocol::record::Plan;
use tidemill_protocol::{Engine, EngineError, PlanRequest, TaskOutput, TaskRequest};

use crate::plan::{self, EnginePlan};
use crate::planning_thread::on_planning_thread;
use crate::resources::Resources;
use crate::session::ENGINE_VERSION;
use crate::task;

/// SQL on DataFusion over the objects of one bucket.
pub struct DataFusionEngine {
    store: Arc<dyn ObjectStore>,
    bucket: String,
    resources: Resources,
}

impl DataFusionEngine {
    /// An engine that reads `bucket` through `store`.
    pub fn new(store: Arc<dyn ObjectStore>, bucket: String, resources: Resources) -> Self {
        Self { store, bucket, resources }
    }
}

#[async_trait]
impl Engine for DataFusionEngine {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        let (store, bucket, resources) = (self.store.clone(), self.bucket.clone(), self.resources);
        let (run, spec) = (request.run.clone(), request.spec.clone());
        let (input, now) = (request.input.cloned(), request.now);
        let planned = on_planning_thread(async move {
            let request = PlanRequest { run: &run, spec: &spec, input: input.as_ref(), now };
            plan::plan(&store, &bucket, &resources, &request).await
        });
        planned.await.map_err(|e| e.into_engine_error(request.run))
    }

    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError> {
        let plan = request.plan;
        if plan.engine != ENGINE_VERSION {
            return Err(EngineError::Refused(format!(
                "run {} was planned by {} and this worker is {ENGINE_VERSION}: drop the job again",
                plan.run, plan.engine
            )));
        }
        let engine_plan: EnginePlan =
            serde::Deserialize::deserialize(&plan.engine_plan).map_err(|e| {
                EngineError::Refused(format!("the plan of {} is damaged: {e}", plan.run))
            })?;
        task::execute(&self.store, &self.resources, &engine_plan, request)
            .await
            .map_err(|e| e.into_engine_error(&plan.run))
    }
}
