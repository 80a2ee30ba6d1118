//! The HTTP API in front of functions: API Gateway's payload format 2.0.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::Utc;
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::lambda::Function;
use crate::template::RouteSpec;

/// Where the HTTP API is on the emulator's port; no bucket can have this name.
pub(crate) const PREFIX: &str = "/_api";

/// A route to a function.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) spec: RouteSpec,
    pub(crate) function: Arc<Function>,
}

/// All routes.
#[derive(Debug, Default)]
pub(crate) struct HttpApi {
    pub(crate) routes: Vec<Route>,
}

impl HttpApi {
    pub(crate) async fn handle(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response<s3s::Body> {
        let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let found = self.routes.iter().find_map(|route| {
            let method_fits = route.spec.method == "ANY" || route.spec.method == method.as_str();
            method_fits.then(|| Some((route, parameters(&route.spec.path, path)?)))?
        });
        let Some((route, parameters)) = found else {
            return response(StatusCode::NOT_FOUND, &json!({ "message": "Not Found" }));
        };
        let event = event(route, method, path, uri, headers, &body, &parameters);
        let place = route.function.place().await;
        match route.function.invoke(&place, event.to_string().into(), &[]).await {
            Ok(answer) => from_function(&answer),
            Err(e) => {
                tracing::error!(error = %e, "the API function failed");
                response(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &json!({ "message": "Internal Server Error" }),
                )
            }
        }
    }
}

/// The path parameters, if a path fits a pattern such as `/runs/{id}`.
fn parameters(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut found = BTreeMap::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(found),
            (Some(p), Some(text)) => match p.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(name) if !text.is_empty() => {
                    let text = percent_decode_str(text).decode_utf8_lossy().into_owned();
                    found.insert(name.to_owned(), text);
                }
                None if p == text => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn event(
    route: &Route,
    method: &Method,
    path: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    parameters: &BTreeMap<String, String>,
) -> Value {
    let headers: BTreeMap<_, _> =
        headers.iter().filter_map(|(n, v)| Some((n.as_str(), v.to_str().ok()?))).collect();
    let key = format!("{} {}", route.spec.method, route.spec.path);
    let now = Utc::now();
    json!({
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": headers,
        "pathParameters": parameters,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent").copied().unwrap_or_default(),
            },
            "requestId": uuid::Uuid::new_v4().to_string(),
            "routeKey": key,
            "stage": "$default",
            "time": now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.timestamp_millis(),
        },
        "body": (!body.is_empty()).then(|| STANDARD.encode(body)),
        "isBase64Encoded": !body.is_empty(),
    })
}

fn from_function(answer: &[u8]) -> Response<s3s::Body> {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
        return response(StatusCode::BAD_GATEWAY, &json!({ "message": "Internal Server Error" }));
    };
    let status = answer["statusCode"].as_u64().and_then(|s| u16::try_from(s).ok());
    let status = status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::OK);
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => Bytes::from(STANDARD.decode(text).unwrap_or_default()),
        _ => Bytes::from(text.to_owned()),
    };
    let mut out = Response::new(s3s::Body::from(body));
    *out.status_mut() = status;
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Some(Ok(value))) = (name, value.as_str().map(str::parse)) {
            out.headers_mut().insert(name, value);
        }
    }
    out
}

fn response(status: StatusCode, body: &Value) -> Response<s3s::Body> {
    let mut out = Response::new(s3s::Body::from(Bytes::from(body.to_string())));
    *out.status_mut() = status;
    out.headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_pattern_and_no_other() {
        let found = parameters("/runs/{id}", "/runs/a%20b").expect("fits");
        assert_eq!(found["id"], "a b");
        for path in ["/runs", "/runs/", "/runs/a/b", "/other/a"] {
            assert_eq!(parameters("/runs/{id}", path), None, "{path}");
        }
    }
}
