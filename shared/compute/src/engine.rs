use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::ObjectStore;
use serde::Deserialize;
use tidemill_protocol::function::FunctionCaller;
use tidemill_protocol::record::{Plan, Publication};
use tidemill_protocol::{
    Engine, EngineError, PlanRequest, Planner, RunId, TaskOutput, TaskRequest,
};

use crate::engine_plan::EnginePlan;
use crate::functions::Callers;
use crate::plan;
use crate::planning_thread::on_planning_thread;
use crate::resources::Resources;
use crate::session::{self, ENGINE_VERSION, MemoryMode, Placement};
use crate::task::{self, LoadedPlan};
use crate::write;

/// How many decoded plans a warm process remembers.
const REMEMBERED_PLANS_MAX: usize = 8;

/// SQL on DataFusion over the objects of one bucket.
pub struct DataFusionEngine {
    store: Arc<dyn ObjectStore>,
    bucket: String,
    resources: Resources,
    /// Nothing where functions of Python are not executed.
    caller: Option<Arc<dyn FunctionCaller>>,
    /// The last used first.
    plans: Mutex<VecDeque<(RunId, Arc<LoadedPlan>)>>,
}

impl DataFusionEngine {
    /// An engine that reads `bucket` through `store`.
    pub fn new(store: Arc<dyn ObjectStore>, bucket: String, resources: Resources) -> Self {
        Self { store, bucket, resources, caller: None, plans: Mutex::default() }
    }

    /// One that executes functions of Python, too.
    #[must_use]
    pub fn with_functions(self, caller: Arc<dyn FunctionCaller>) -> Self {
        Self { caller: Some(caller), ..self }
    }

    /// Looks at the table of a folder that Parquet files from elsewhere become part of.
    ///
    /// Returns: what is to be published, and the table's columns, as a stream of Arrow IPC without batches in
    /// base64; nothing of a new table.
    ///
    /// # Errors
    /// A sentence, if it cannot take such files.
    pub async fn pin_table(
        &self,
        request: &PlanRequest<'_>,
        folder: &str,
    ) -> Result<(Publication, Option<String>), EngineError> {
        let meter = Arc::default();
        let pin = async {
            let runtime = session::runtime(self.resources.memory, &meter)?;
            let (placement, mode) = (Placement::SingleTask, MemoryMode::Normal);
            let state = session::session(runtime, placement, mode, 1, request.now);
            write::pin_parquet(&state, &self.store, &self.bucket, folder, request.spec).await
        };
        pin.await.map_err(|e| e.into_engine_error(request.run))
    }

    /// The engine's part of a plan: of a run of many tasks it is decoded once.
    fn load(&self, plan: &Plan) -> Result<Arc<LoadedPlan>, EngineError> {
        let lock = || self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = lock().iter().find(|(run, _)| *run == plan.run) {
            return Ok(known.clone());
        }
        let decoded = EnginePlan::deserialize(&plan.engine_plan).map_err(|e| {
            EngineError::Refused(format!("the plan of {} is damaged: {e}", plan.run))
        })?;
        let decoded = Arc::new(LoadedPlan::new(decoded));
        let mut plans = lock();
        plans.push_front((plan.run.clone(), decoded.clone()));
        plans.truncate(REMEMBERED_PLANS_MAX);
        Ok(decoded)
    }
}

#[async_trait]
impl Planner for DataFusionEngine {
    async fn plan(&self, request: &PlanRequest<'_>) -> Result<Plan, EngineError> {
        let (store, bucket, resources) = (self.store.clone(), self.bucket.clone(), self.resources);
        let (run, spec) = (request.run.clone(), request.spec.clone());
        let (input, now, workers) = (request.input.cloned(), request.now, request.workers);
        let planned = on_planning_thread(async move {
            let request =
                PlanRequest { run: &run, spec: &spec, input: input.as_ref(), now, workers };
            plan::plan(&store, &bucket, &resources, &request).await
        });
        planned.await.map_err(|e| e.into_engine_error(request.run))
    }
}

#[async_trait]
impl Engine for DataFusionEngine {
    async fn execute(&self, request: &TaskRequest<'_>) -> Result<TaskOutput, EngineError> {
        let plan = request.plan;
        if plan.engine != ENGINE_VERSION {
            return Err(EngineError::Refused(format!(
                "run {} was planned by {} and this worker is {ENGINE_VERSION}: drop the job again",
                plan.run, plan.engine
            )));
        }
        let loaded = self.load(plan)?;
        let callers = Arc::new(Callers {
            run: plan.run.clone(),
            functions: loaded.plan.functions.clone(),
            caller: self.caller.clone(),
        });
        task::execute(&self.store, &self.resources, &loaded, &callers, request)
            .await
            .map_err(|e| e.into_engine_error(&plan.run))
    }
}
