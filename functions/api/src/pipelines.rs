use tidemill_aws::links::WriteIf;
use tidemill_protocol::Key;
use tidemill_protocol::bucket::{Bucket, BucketError};
use tidemill_protocol::job::{JOB_BYTES_MAX, Refusal};
use tidemill_protocol::pipeline::{Pipeline, load_all};

use crate::answers::{PipelineSummary, Pipelines};
use crate::api::{Api, done, text};
use crate::problem::Problem;
use crate::request::{Request, Response};

pub(crate) async fn list(api: &Api) -> Result<Response, Problem> {
    let summary = |(name, pipeline): (String, Result<Pipeline, Refusal>)| match pipeline {
        Ok(Pipeline { prefix, suffix, sql, into, .. }) => {
            PipelineSummary { name, prefix, suffix, sql, into, problem: None }
        }
        Err(refusal) => {
            let problem = Some(refusal.to_string());
            PipelineSummary { name, problem, ..PipelineSummary::default() }
        }
    };
    let pipelines = load_all(&api.bucket).await?.into_iter().map(summary).collect();
    Ok(Response::json(200, &Pipelines { pipelines }))
}

pub(crate) async fn get(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (name, key) = key_of(request)?;
    let object = api.bucket.get(&key, None).await.map_err(|e| missing(name, e))?;
    let text = String::from_utf8_lossy(&object.bytes).into_owned();
    let response = Response::of_text(200, "application/json", text);
    Ok(response.with("etag", format!("\"{}\"", object.info.etag)))
}

pub(crate) async fn put(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (_, key) = key_of(request)?;
    if request.body.len() as u64 > JOB_BYTES_MAX {
        let why = format!("the body has {} bytes: it may have {JOB_BYTES_MAX}", request.body.len());
        return Err(Problem::new(413, why));
    }
    text(request)?;
    Pipeline::parse("the request", &request.body)?;
    if request.header("if-match") == Some("*") && !api.bucket_has(&key).await? {
        let why = format!("there is no {key} that could be replaced");
        return Err(Problem::new(412, why));
    }
    if request.header("if-none-match").is_some_and(|value| value != "*") {
        let why =
            "If-None-Match is * or nothing: a pipeline is created, or it is replaced".to_owned();
        return Err(Problem::of_parameter("If-None-Match", why));
    }
    let write_if = match (request.header("if-match"), request.header("if-none-match")) {
        (Some("*"), _) => WriteIf::Any,
        (Some(etag), _) => WriteIf::Is(etag.trim_matches('"').to_owned()),
        (None, Some("*")) => WriteIf::Absent,
        (None, _) => WriteIf::Any,
    };
    let put = api.bucket.put_if(&key, request.body.clone().into(), &write_if).await;
    let etag = put.map_err(|e| match (e, &write_if) {
        (BucketError::Changed { key }, WriteIf::Absent) => {
            Problem::new(412, format!("there is a {key} already"))
        }
        (BucketError::Changed { key }, _) => {
            Problem::new(412, format!("{key} is another version than that of If-Match"))
        }
        (other, _) => other.into(),
    })?;
    Ok(done().with("etag", format!("\"{etag}\"")))
}

pub(crate) async fn delete(api: &Api, request: &Request) -> Result<Response, Problem> {
    let (name, key) = key_of(request)?;
    if !api.bucket_has(&key).await? {
        return Err(missing(name, BucketError::NotFound { key }));
    }
    api.bucket.delete(std::slice::from_ref(&key)).await?;
    Ok(done())
}

fn key_of(request: &Request) -> Result<(&str, String), Problem> {
    let name = request.parameter("pipeline");
    let key = format!("{}{name}.json", Key::PIPELINES);
    match Pipeline::name(&key) == Some(name) && !name.contains('/') {
        true => Ok((name, key)),
        false => {
            let why = format!("'{name}' is no name of a pipeline");
            Err(Problem::of_parameter("pipeline", why))
        }
    }
}

fn missing(name: &str, e: BucketError) -> Problem {
    match e {
        BucketError::NotFound { .. } => {
            let why =
                format!("there is no pipeline {name}: GET /pipelines lists those that there are");
            Problem::new(404, why)
        }
        other => other.into(),
    }
}
