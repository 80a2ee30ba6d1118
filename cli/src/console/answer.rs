//! What the console's server answers, and whom.
//!
//! It holds somebody's credentials, so it answers only those who have the token of its address, and no page of
//! another origin: the names in `Host` (DNS rebinding) and `Origin` are its own, and its pages load nothing from
//! elsewhere.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use serde_json::json;
use tidemill_api::Api;

use super::assets;

/// Where the HTTP API is beside the pages.
const API: &str = "/api";

/// The most bytes of a request's body: no route takes more.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The console of a bucket.
pub(super) struct Page {
    pub(super) api: Api,
    pub(super) port: u16,
    pub(super) token: String,
}

impl Page {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = match self.refusal(request.headers()) {
            Some(why) => problem(StatusCode::FORBIDDEN, why),
            None => match request.uri().path().strip_prefix(API) {
                Some(path) if path.starts_with('/') => {
                    let path = path.to_owned();
                    self.answer_api(&path, request).await
                }
                _ => file(request.uri().path()),
            },
        };
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // the address has the token
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-store"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// Why a request is none of this server's own pages.
    fn refusal(&self, headers: &HeaderMap) -> Option<&'static str> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let hosts = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", self.port));
        if !text(HOST).is_some_and(|host| hosts.iter().any(|own| own == host)) {
            return Some("this server answers at 127.0.0.1 and localhost only");
        }
        let is_own = |origin: &str| hosts.iter().any(|host| origin == format!("http://{host}"));
        match headers.contains_key(ORIGIN) && !text(ORIGIN).is_some_and(is_own) {
            true => Some("this server answers its own pages only"),
            false => None,
        }
    }

    /// Whether a request has the token; how long that takes tells nothing of it.
    fn has_token(&self, headers: &HeaderMap) -> bool {
        let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = text.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        let differing = token.bytes().zip(self.token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        token.len() == self.token.len() && differing == 0
    }

    async fn answer_api(&self, path: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.has_token(request.headers()) {
            let why = "the token of the console's address is missing: open the address that the command printed";
            return problem(StatusCode::UNAUTHORIZED, why);
        }
        let (parts, body) = request.into_parts();
        let Some((route, parameters)) = tidemill_api::find(parts.method.as_str(), path) else {
            return of_api(Api::not_found(parts.method.as_str(), path));
        };
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        };
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let request = tidemill_api::Request {
            route,
            parameters,
            query: tidemill_api::Request::parse_query(parts.uri.query().unwrap_or_default()),
            headers: parts.headers.iter().filter_map(header).collect(),
            body: body.to_bytes().to_vec(),
        };
        of_api(self.api.answer(&request).await)
    }
}

fn of_api(answer: tidemill_api::Response) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn file(path: &str) -> Response<Full<Bytes>> {
    match assets::find(path) {
        None => problem(StatusCode::NOT_FOUND, "there is no such page"),
        Some((content_type, bytes)) => {
            let mut response = Response::new(Full::from(bytes));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
    }
}

fn problem(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let title = status.canonical_reason().unwrap_or_default();
    let problem = json!({
        "type": "about:blank",
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(Full::from(problem.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
