//! The local emulator: what `template.yaml` deploys, on one machine.
//!
//! S3, SQS and the HTTP API answer on one loopback port; buckets are plain folders; functions are
//! real processes with a Runtime API each, as many at once as their event source allows. Events
//! are delivered as AWS does: at least once, unordered, in batches, with visibility time-outs,
//! partial failures, and redrive to the dead-letter queue.

mod faults;
mod hex;
mod http_api;
mod iam;
mod lambda;
mod machine;
mod s3;
mod server;
mod sqs;
mod template;
mod web;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use faults::Faults;
pub use lambda::FunctionCommand;
pub use s3::KeyPair;
pub use template::TemplateError;

use faults::{Injector, Targets};
use iam::Roles;
use lambda::{Function, FunctionEnvironment, Mapping};
use s3::{Notification, Notifications};
use server::Server;
use sqs::{Queue, Queues, Sqs};
use template::{FunctionSpec, Setting, Template};

/// The bucket that is always there.
pub const BUCKET: &str = "tidemill";

/// The port if none is asked for.
pub const PORT: u16 = 4566;

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// How to run the emulator.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the buckets.
    pub dir: PathBuf,
    /// 0 for any free port.
    pub port: u16,
    /// The text of `template.yaml`.
    pub template: String,
    /// The most processes of a function.
    pub concurrency: usize,
    /// The only credentials that are accepted.
    pub keys: Option<KeyPair>,
    pub functions: FunctionCommand,
    /// Memory of a worker; by default the workers share the machine's.
    pub worker_mib: Option<u64>,
    /// What one task reads at most, before a job is spread.
    pub one_task_mib: Option<u64>,
    /// What is to go wrong on purpose.
    pub faults: Option<Faults>,
}

/// Why the emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the folder {dir} cannot be used: {reason}")]
    Folder { dir: PathBuf, reason: std::io::Error },
    #[error("port {port} cannot be used: {reason}; choose another with --port")]
    Port { port: u16, reason: std::io::Error },
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("{0}")]
    Faults(String),
}

/// A running emulator. Dropping it stops it and its functions.
#[derive(Debug)]
pub struct Local {
    address: SocketAddr,
    workers: usize,
    without_effect: BTreeSet<String>,
    functions: Vec<Arc<Function>>,
    tasks: JoinSet<()>,
    faults: Option<Arc<Injector>>,
    console: Arc<OnceLock<String>>,
    /// The folder is ours while this is open.
    _lock: std::fs::File,
}

impl Local {
    /// Starts the emulator.
    ///
    /// # Errors
    /// The folder or the port cannot be used, or the template is not understood.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(|reason| StartError::Port { port: options.port, reason })?;
        let address = listener
            .local_addr()
            .map_err(|reason| StartError::Port { port: options.port, reason })?;
        let endpoint = format!("http://{address}");
        let worker_mib = options.worker_mib.or_else(|| machine::worker_mib(options.concurrency));
        let memory = [
            ("WorkerMemory", worker_mib),
            ("LargeWorkerMemory", machine::worker_mib(1)),
            ("PythonWorkerMemory", worker_mib),
            ("LargePythonWorkerMemory", machine::worker_mib(1)),
            ("PythonSqlWorkerMemory", worker_mib),
        ];
        let memory = memory.map(|(name, mib)| Some((name.to_owned(), mib?.to_string())));
        let bucket = ("BucketName".to_owned(), BUCKET.to_owned());
        let mut setting = Setting {
            parameters: [bucket].into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            endpoint: endpoint.clone(),
        };
        let deployed = template::read(&options.template, &setting)?;
        setting.parameters.extend(memory.into_iter().flatten());
        let mut template = template::read(&options.template, &setting)?;
        if options.worker_mib.is_none() {
            // what workers have of this machine is not what they have where they are deployed
            template.functions.iter_mut().zip(deployed.functions).for_each(|(here, there)| {
                here.environment = there.environment;
            });
        }
        let faults = options.faults.clone().map(|faults| Injector::new(faults, targets(&template)));
        let faults = faults.transpose().map_err(StartError::Faults)?;
        let lock = s3::lock(&options.dir, &endpoint)
            .map_err(|reason| StartError::Folder { dir: options.dir.clone(), reason })?;
        let queues = Arc::new(Queues::default());
        let folder = s3::private_folder(&options.dir, "queues");
        create_queues(&queues, &template, &folder, faults.as_ref())
            .map_err(|reason| StartError::Folder { dir: options.dir.clone(), reason })?;
        let mut buckets: Vec<&str> = template.buckets.iter().map(|b| b.name.as_str()).collect();
        buckets.push(BUCKET);
        let notifications = Notifications::new(notifications(&template, &queues), REGION.into());
        let s3 = s3::service(options.dir.clone(), &buckets, options.keys.as_ref(), notifications)
            .map_err(|reason| StartError::Folder { dir: options.dir.clone(), reason })?;
        let one_task_mib = options.one_task_mib.unwrap_or(machine::one_task_mib(worker_mib));
        let functions = functions(&template, &options, &endpoint, one_task_mib, faults.as_ref());
        let api = http_api::of_template(&template.http_api, |id| find(&functions, id));
        let console = Arc::new(OnceLock::new());
        let server = Server {
            console: console.clone(),
            s3,
            sqs: Sqs {
                queues: queues.clone(),
                endpoint,
                account: ACCOUNT.into(),
                region: REGION.into(),
            },
            api,
            anonymous: options.keys.is_none(),
            faults: faults.clone(),
            roles: Arc::new(roles(&template)),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::new(server).run(listener));
        for mapping in mappings(&template, &functions, &queues) {
            tasks.spawn(Arc::new(mapping).run());
        }
        let without_effect = template.without_effect;
        let workers = options.concurrency;
        Ok(Self {
            address,
            workers,
            without_effect,
            functions,
            tasks,
            faults,
            console,
            _lock: lock,
        })
    }

    /// E.g. `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The most processes of a function at once.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The port that it answers on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where `/_console` leads to.
    pub fn set_console(&self, url: String) {
        let _ = self.console.set(url);
    }

    /// Where the HTTP API is.
    pub fn api_url(&self) -> String {
        format!("{}{}", self.endpoint(), http_api::PREFIX)
    }

    /// What the template says that does nothing on this machine.
    pub fn without_effect(&self) -> impl Iterator<Item = &str> {
        self.without_effect.iter().map(String::as_str)
    }

    /// How often each fault has happened, if there are to be any.
    pub fn faults(&self) -> Option<String> {
        self.faults.as_ref().map(|f| f.summary())
    }

    /// Stops the emulator and its functions.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        for function in &self.functions {
            function.stop().await;
        }
    }
}

fn create_queues(
    queues: &Queues,
    template: &Template,
    folder: &Path,
    faults: Option<&Arc<Injector>>,
) -> std::io::Result<()> {
    for spec in &template.queues {
        let queue =
            Queue::open(spec.name.clone(), spec.attributes.clone(), folder.join(&spec.name))?;
        queues.insert(queue.with_faults(faults.cloned()));
    }
    for spec in &template.queues {
        if let (Some(queue), Some((target, max))) = (queues.get(&spec.name), &spec.redrive) {
            queues.set_redrive(&queue, target, *max);
        }
    }
    Ok(())
}

fn notifications(template: &Template, queues: &Queues) -> Vec<Notification> {
    let mut all = vec![];
    for bucket in &template.buckets {
        for (number, spec) in bucket.notifications.iter().enumerate() {
            let Some(queue) = queues.get(&spec.queue) else { continue };
            all.push(Notification {
                id: format!("notification-{number}"),
                bucket: bucket.name.clone(),
                events: vec![spec.event.clone()],
                prefix: spec.prefix.clone(),
                suffix: spec.suffix.clone(),
                queue,
            });
        }
    }
    all
}

/// What faults may be of.
fn targets(template: &Template) -> Targets {
    let functions = &template.functions;
    let has_larger = |f: &&FunctionSpec| {
        functions.iter().any(|other| other.binary == f.binary && other.memory > f.memory)
    };
    let names = functions.iter().map(|f| f.id.clone());
    Targets {
        names: names.chain(template.queues.iter().map(|q| q.name.clone())).collect(),
        have_larger: functions.iter().filter(has_larger).map(|f| f.id.clone()).collect(),
    }
}

/// What each function may do.
fn roles(template: &Template) -> Roles {
    let mut roles = Roles::default();
    for function in &template.functions {
        roles.insert(&function.id, function.policies.clone());
    }
    roles
}

/// Each function with as many processes as its event source and the options allow.
fn functions(
    template: &Template,
    options: &Options,
    endpoint: &str,
    one_task_mib: u64,
    faults: Option<&Arc<Injector>>,
) -> Vec<Arc<Function>> {
    let functions = template.functions.iter().map(|spec| {
        let mapped = template.mappings.iter().filter(|m| m.function == spec.id);
        let mapped = mapped.filter_map(|m| m.concurrency).max().unwrap_or(usize::MAX);
        let is_routed = template.http_api.routes.iter().any(|route| route.function == spec.id);
        let concurrency = match is_routed {
            true => http_api::PROCESSES, // which wait, and do not work
            false => mapped.min(options.concurrency),
        };
        let command = options.functions.clone();
        let environment = FunctionEnvironment {
            endpoint: endpoint.to_owned(),
            folder: std::path::absolute(&options.dir).unwrap_or_else(|_| options.dir.clone()),
            region: REGION.into(),
            one_task_mib,
            concurrency,
            keys: options.keys.clone(),
        };
        Arc::new(Function::new(spec.clone(), command, environment, faults.cloned()))
    });
    functions.collect()
}

fn find(functions: &[Arc<Function>], id: &str) -> Option<Arc<Function>> {
    functions.iter().find(|f| f.spec.id == id).cloned()
}

fn mappings(template: &Template, functions: &[Arc<Function>], queues: &Queues) -> Vec<Mapping> {
    let mappings = template.mappings.iter().filter_map(|spec| {
        Some(Mapping {
            function: find(functions, &spec.function)?,
            queue: queues.get(&spec.queue)?,
            batch: spec.batch,
            window: spec.window,
            partial: spec.partial,
            region: REGION.into(),
            queue_arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", spec.queue),
        })
    });
    mappings.collect()
}
