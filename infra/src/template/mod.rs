//! `template.yaml`, as far as it has a meaning on this machine.
//!
//! Every property is emulated, or on the list of those without local effect, or an error that
//! names it: nothing is accepted and ignored in silence.

mod evaluate;
mod http_api;
mod resources;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::http_api::Cors;
use crate::iam::Statement;
use crate::sqs::Attributes;

pub(crate) use resources::read;

/// Why a template cannot be run here.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{0}")]
    Yaml(String),
    #[error(
        "{resource}: property {property} is neither emulated nor known to be without local effect"
    )]
    UnknownProperty { resource: String, property: String },
    #[error("{resource}: type {kind} is neither emulated nor known to be without local effect")]
    UnknownType { resource: String, kind: String },
    #[error("{at}: {problem}")]
    Invalid { at: String, problem: String },
}

/// The deployment that a template describes.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) buckets: Vec<BucketSpec>,
    pub(crate) queues: Vec<QueueSpec>,
    pub(crate) functions: Vec<FunctionSpec>,
    pub(crate) mappings: Vec<MappingSpec>,
    pub(crate) http_api: HttpApiSpec,
    /// Properties and types that do nothing here.
    pub(crate) without_effect: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct BucketSpec {
    pub(crate) name: String,
    pub(crate) notifications: Vec<NotificationSpec>,
}

#[derive(Debug)]
pub(crate) struct NotificationSpec {
    pub(crate) event: String,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    /// The queue's name.
    pub(crate) queue: String,
}

#[derive(Debug)]
pub(crate) struct QueueSpec {
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    /// The dead-letter queue's name, and after how many receives.
    pub(crate) redrive: Option<(String, u32)>,
}

#[derive(Debug, Clone)]
pub(crate) struct FunctionSpec {
    /// The logical id in the template.
    pub(crate) id: String,
    /// The binary that it is: of its metadata, or the logical id in lower case.
    pub(crate) binary: String,
    /// It runs in the place of a managed runtime, and is told what that would have run.
    pub(crate) is_wrapper: bool,
    /// MiB.
    pub(crate) memory: u32,
    pub(crate) timeout: Duration,
    pub(crate) environment: BTreeMap<String, String>,
    /// Of its role.
    pub(crate) policies: Vec<Statement>,
}

#[derive(Debug)]
pub(crate) struct MappingSpec {
    pub(crate) function: String,
    pub(crate) queue: String,
    pub(crate) batch: usize,
    pub(crate) window: Duration,
    pub(crate) concurrency: Option<usize>,
    /// Whether the function reports failed items.
    pub(crate) partial: bool,
}

/// The HTTP API of a deployment.
#[derive(Debug, Default)]
pub(crate) struct HttpApiSpec {
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) cors: Option<Cors>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteSpec {
    pub(crate) function: String,
    /// E.g. `GET /runs/{run}`.
    pub(crate) key: String,
}

/// What the template's parameters and pseudo parameters are on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) account: String,
    pub(crate) region: String,
    /// E.g. `http://127.0.0.1:4566`.
    pub(crate) endpoint: String,
}
