use serde_json::json;
use tidemill_aws::S3Bucket;
use tidemill_protocol::bucket::{Bucket, BucketError};

use crate::answers::Meta;
use crate::problem::Problem;
use crate::request::{Request, Response};
use crate::routes::Operation;
use crate::{openapi, pipelines, results, runs, submit, tables, uploads};

/// Answers requests about a bucket, with the rights that the bucket's client has.
#[derive(Debug, Clone)]
pub struct Api {
    pub(crate) bucket: S3Bucket,
    endpoint: Option<String>,
}

impl Api {
    /// Of a bucket, and the endpoint of S3 where that is not AWS.
    pub fn new(bucket: S3Bucket, endpoint: Option<String>) -> Self {
        Self { bucket, endpoint }
    }

    /// The answer to a request.
    pub async fn answer(&self, request: &Request) -> Response {
        let answered = match request.check_query() {
            // its future is that of all operations
            Ok(()) => Box::pin(self.dispatch(request)).await,
            Err(problem) => Err(problem),
        };
        answered.unwrap_or_else(Response::from)
    }

    /// The answer to a request of no route.
    pub fn not_found(method: &str, path: &str) -> Response {
        let why = format!("there is no {method} {path}: GET /openapi.json says what there is");
        Problem::new(404, why).into()
    }

    async fn dispatch(&self, request: &Request) -> Result<Response, Problem> {
        match request.route.operation {
            Operation::Meta => Ok(Response::json(200, &self.meta())),
            Operation::OpenApi => {
                Ok(Response::of_text(200, "application/json", openapi::COMMITTED.into()))
            }
            Operation::Submit => submit::submit(self, request).await,
            Operation::Retry => submit::retry(self, request).await,
            Operation::Explain => submit::explain(self, request).await,
            Operation::ListRuns => runs::list(self, request).await,
            Operation::GetRun => runs::get(self, request).await,
            Operation::GetTasks => runs::tasks(self, request).await,
            Operation::Cancel => runs::cancel(self, request).await,
            Operation::GetResults => results::get(self, request).await,
            Operation::BeginUpload => uploads::begin(self, request).await,
            Operation::CompleteUpload => uploads::complete(self, request).await,
            Operation::ListTables => tables::list(self, request).await,
            Operation::GetTable => tables::get(self, request).await,
            Operation::ListPipelines => pipelines::list(self).await,
            Operation::GetPipeline => pipelines::get(self, request).await,
            Operation::PutPipeline => pipelines::put(self, request).await,
            Operation::DeletePipeline => pipelines::delete(self, request).await,
        }
    }

    /// Whether there is an object of a key.
    pub(crate) async fn bucket_has(&self, key: &str) -> Result<bool, BucketError> {
        Ok(self.bucket.head(key).await?.is_some())
    }

    fn meta(&self) -> Meta {
        Meta {
            bucket: self.bucket.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            endpoint: self.endpoint.clone(),
        }
    }
}

/// The body of a request, as JSON.
pub(crate) fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let text = text(request)?;
    if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(Problem::new(400, format!("the body is no JSON: {e}")));
    }
    Ok(tidemill_protocol::job::decode("the request", "body", text)?)
}

/// The body of a request, as text.
pub(crate) fn text(request: &Request) -> Result<&str, Problem> {
    std::str::from_utf8(&request.body).map_err(|e| {
        Problem::new(
            400,
            format!("the body is not UTF-8 text: byte {} is invalid", e.valid_up_to()),
        )
    })
}

/// Something that is done, and has nothing to tell.
pub(crate) fn done() -> Response {
    Response::json(200, &json!({}))
}
