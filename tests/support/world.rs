use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidemill_protocol::bucket::{Body, NewObject};
use tidemill_protocol::dispatch::dispatch;
use tidemill_protocol::job::Limits;
use tidemill_protocol::queue::MemoryQueue;
use tidemill_protocol::record::{Outcome, TaskMessage};
use tidemill_protocol::work::Worker;
use tidemill_protocol::{
    AttemptId, Bucket, Context, Engine, ObjectEvent, Planner, Queue, SystemClock, WorkerKind,
    Workers, context,
};

use super::crash::{Crash, CrashingBucket, CrashingQueue};

/// A bucket, a queue and an engine, driven by hand.
pub(crate) struct World {
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) planner: Arc<dyn Planner>,
    pub(crate) engine: Arc<dyn Engine>,
    attempts: AtomicU64,
    /// What an invocation may take.
    pub(crate) time_left: Duration,
    /// Of the deployment.
    pub(crate) limits: Limits,
}

impl World {
    pub(crate) fn new(
        bucket: Arc<dyn Bucket>,
        engine: Arc<impl Planner + Engine + 'static>,
    ) -> Self {
        Self {
            bucket,
            queue: Arc::default(),
            planner: engine.clone(),
            engine,
            attempts: AtomicU64::new(0),
            time_left: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }

    pub(crate) fn context(&self, delivery: u32) -> Context {
        self.context_on(self.bucket.clone(), self.queue.clone(), delivery)
    }

    fn context_on(&self, bucket: Arc<dyn Bucket>, queue: Arc<dyn Queue>, delivery: u32) -> Context {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        Context {
            bucket,
            queue,
            clock: Arc::new(SystemClock),
            attempt: AttemptId(format!("attempt-{attempt}")),
            log: "log".into(),
            last_lines: || "the last line\n".into(),
            delivery,
            time_left: self.time_left,
            message: "message".into(),
            kind: WorkerKind::Normal,
            workers: Workers::default(),
            limits: self.limits,
        }
    }

    /// A context that crashes at one of its effects.
    pub(crate) fn crashing(&self, crash: &Arc<Crash>, delivery: u32) -> Context {
        let bucket = CrashingBucket { inner: self.bucket.clone(), crash: crash.clone() };
        let queue = CrashingQueue { inner: self.queue.clone(), crash: crash.clone() };
        self.context_on(Arc::new(bucket), Arc::new(queue), delivery)
    }

    /// Delivers an event until the planner has survived it; crashes at the first deliveries.
    pub(crate) async fn dispatch(&self, event: &ObjectEvent, crash: &Arc<Crash>) {
        for delivery in 1..4 {
            let cx = self.crashing(crash, delivery);
            if dispatch(&cx, &*self.planner, event).await.is_ok() {
                return;
            }
        }
        panic!("the planner does not get over {crash:?}");
    }

    /// Runs tasks until the queue is empty.
    pub(crate) async fn work(&self, crash: &Arc<Crash>) {
        let worker = Worker::new(self.engine.clone());
        while let Some((kind, message)) = self.queue.pop_kind() {
            self.deliver(&worker, kind, &message, crash).await;
        }
    }

    async fn deliver(
        &self,
        worker: &Worker,
        kind: WorkerKind,
        message: &TaskMessage,
        crash: &Arc<Crash>,
    ) {
        for delivery in 1..4 {
            let cx = Context { kind, ..self.crashing(crash, delivery) };
            if worker.run_tasks(&cx, message).await.is_ok() {
                return;
            }
        }
        panic!("{message:?} does not get over {crash:?}");
    }

    /// The whole way of an event, without a crash.
    pub(crate) async fn run(&self, event: &ObjectEvent) -> Vec<Outcome> {
        let never = Crash::never();
        self.dispatch(event, &never).await;
        self.work(&never).await;
        self.outcomes().await
    }

    /// How all runs ended.
    pub(crate) async fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes = vec![];
        for key in self.keys("runs/").await {
            if key.ends_with("/outcome.json") {
                let found = context::find(&*self.bucket, &key).await.expect("readable");
                outcomes.push(found.expect("an outcome"));
            }
        }
        outcomes
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let objects = self.bucket.list(prefix).await.expect("a list");
        objects.into_iter().map(|o| o.key).collect()
    }

    pub(crate) async fn read(&self, key: &str) -> Vec<u8> {
        self.bucket.get(key, None).await.expect(key).bytes.to_vec()
    }

    /// Puts an object and tells of it.
    pub(crate) async fn upload(&self, key: &str, text: &str) -> ObjectEvent {
        let body = Body::Bytes(text.to_owned().into());
        self.bucket.delete(&[key.to_owned()]).await.expect("deleted");
        let attempt = AttemptId("user".into());
        self.bucket.create(NewObject::new(key, body, &attempt)).await.expect("created");
        let info = self.bucket.head(key).await.expect("head").expect("an object").info;
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        ObjectEvent {
            bucket: "b".into(),
            key: key.into(),
            size: info.size,
            etag: info.etag,
            sequencer: format!("{number:08}"),
            time: chrono::Utc::now(),
        }
    }
}
