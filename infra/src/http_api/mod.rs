//! The HTTP API in front of functions: API Gateway's HTTP APIs, payload format 2.0 (Amazon API Gateway Developer
//! Guide, "Working with HTTP APIs").

mod answer;
mod cors;
mod event;
mod route;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};

pub(crate) use cors::Cors;
pub(crate) use route::Route;

/// Where the HTTP API is on the emulator's port; no bucket can have this name.
pub(crate) const PREFIX: &str = "/_api";

/// The most bytes of a request's body (Amazon API Gateway, quotas of HTTP APIs).
pub(crate) const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// The most bytes of a request's line and headers (the same).
const HEAD_BYTES_MAX: usize = 10_240;

/// The most bytes of an event and of an answer (AWS Lambda quotas, synchronous invocations).
const LAMBDA_BYTES_MAX: usize = 6 * 1024 * 1024;

/// How long a function has for an answer (Amazon API Gateway, quotas of HTTP APIs).
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Processes of a function that answers requests: each waits for one of them.
pub(crate) const PROCESSES: usize = 64;

/// All routes, and what other origins may ask.
#[derive(Debug, Default)]
pub(crate) struct HttpApi {
    pub(crate) routes: Vec<Route>,
    pub(crate) cors: Option<Cors>,
}

impl HttpApi {
    pub(crate) async fn handle(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<s3s::Body> {
        if let Some(cors) = &self.cors
            && cors::is_preflight(method, headers)
        {
            return cors.preflight(headers);
        }
        let mut response = self.answer(method, uri, headers, &body).await;
        if let Some(cors) = &self.cors {
            cors.mark(headers, response.headers_mut());
        }
        response
    }

    async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response<s3s::Body> {
        let head: usize = headers.iter().map(|(name, v)| name.as_str().len() + v.len()).sum();
        if head + uri.to_string().len() > HEAD_BYTES_MAX {
            return answer::message(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let Some((route, parameters)) = route::find(&self.routes, method, path) else {
            return answer::message(StatusCode::NOT_FOUND);
        };
        let event = event::Event { route, method, path, uri, headers, body, parameters };
        let event = event.to_json().to_string();
        if event.len() > LAMBDA_BYTES_MAX {
            return answer::message(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let function = route.function.clone();
        let invoked = async {
            // who leaves before there is a place takes none
            let place = function.place().await;
            let function = function.clone();
            // the function goes on when nobody waits for it any more
            tokio::spawn(async move { function.invoke(&place, event.into(), &[]).await }).await
        };
        match tokio::time::timeout(INTEGRATION_TIMEOUT, invoked).await {
            Err(_) => answer::message(StatusCode::SERVICE_UNAVAILABLE),
            Ok(Ok(Ok(said))) if said.len() <= LAMBDA_BYTES_MAX => answer::of_function(&said),
            Ok(Ok(Ok(said))) => {
                let bytes = said.len();
                tracing::error!(bytes, "the API function's answer is larger than Lambda takes");
                answer::message(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Ok(Ok(Err(e))) => {
                tracing::error!(error = %e, "the API function failed");
                answer::message(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Ok(Err(e)) => {
                tracing::error!(error = %e, "an invocation of the API function ended");
                answer::message(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// The routes and the origins of a deployment, with the functions that answer.
pub(crate) fn of_template(
    spec: &crate::template::HttpApiSpec,
    function: impl Fn(&str) -> Option<Arc<crate::lambda::Function>>,
) -> HttpApi {
    let route = |spec: &crate::template::RouteSpec| {
        Some(Route { key: spec.key.clone(), function: function(&spec.function)? })
    };
    HttpApi { routes: spec.routes.iter().filter_map(route).collect(), cors: spec.cors.clone() }
}
