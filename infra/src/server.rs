//! One port for S3, SQS and the HTTP API.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::S3Service;
use tokio::net::TcpListener;

use crate::faults::{Injector, Lost};
use crate::http_api::{self, HttpApi};
use crate::iam::{Roles, s3_accesses};
use crate::s3::Anonymous;
use crate::sqs::{self, Sqs};
use crate::web;

/// Most bytes of an SQS request.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// What answers on the port.
pub(crate) struct Server {
    pub(crate) s3: S3Service,
    pub(crate) sqs: Sqs,
    pub(crate) api: HttpApi,
    /// Whether any credentials are accepted.
    pub(crate) anonymous: bool,
    pub(crate) faults: Option<Arc<Injector>>,
    pub(crate) roles: Arc<Roles>,
    /// Where the console is, if there is one.
    pub(crate) console: Arc<OnceLock<String>>,
}

/// What leads to the console; no bucket can have this name.
const CONSOLE: &str = "/_console";

impl Server {
    /// Serves until it is dropped.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(e) => {
                    tracing::warn!(error = %e, "accepting a connection failed");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let server = self.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { server.answer_or_not(request).await }
                });
                let mut connection = hyper::server::conn::http1::Builder::new();
                connection.timer(TokioTimer::new());
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
            while connections.try_join_next().is_some() {}
        }
    }

    /// Where answers may be lost on purpose, the connection is closed without one.
    async fn answer_or_not(&self, request: Request<Incoming>) -> Result<Response<s3s::Body>, Lost> {
        let Some(faults) = &self.faults else { return Ok(self.answer(request).await) };
        let verdict =
            faults.judge(request.method(), request.headers(), sqs::is_request(request.headers()));
        tokio::time::sleep(verdict.wait).await;
        let response = match verdict.has_effect {
            true => Some(self.answer(request).await),
            false => None,
        };
        if let Some(kill) = verdict.kill {
            let _ = kill.send(()).await; // it may have ended by itself
            kill.closed().await;
        }
        response.filter(|_| verdict.is_answered).ok_or(Lost)
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Response<s3s::Body> {
        if let Some(why) = web::refusal(request.method(), request.uri(), request.headers()) {
            return denied(why);
        }
        let caller = self.roles.caller(request.headers());
        if sqs::is_request(request.headers()) {
            let (parts, body) = request.into_parts();
            return match read(body, MAX_BODY_BYTES).await {
                Some(body) => self.sqs.handle(&parts.headers, &body, &caller).await,
                None => too_large(),
            };
        }
        if request.uri().path().starts_with(http_api::PREFIX) {
            if !self.anonymous {
                return denied(
                    "with --access-key the HTTP API is not there: its signatures are not verified",
                );
            }
            let (parts, body) = request.into_parts();
            return match read(body, http_api::BODY_BYTES_MAX).await {
                Some(body) => {
                    self.api.handle(&parts.method, &parts.uri, &parts.headers, body).await
                }
                None => too_large(),
            };
        }
        if let Some(url) = self.console.get().filter(|_| request.uri().path() == CONSOLE)
            && let Ok(url) = url.parse()
        {
            let mut response = status(StatusCode::FOUND);
            response.headers_mut().insert(hyper::header::LOCATION, url);
            return response;
        }
        if !caller.is_user() {
            let needs = s3_accesses(request.method(), request.uri(), request.headers());
            if let Some(Err(why)) = needs.iter().map(|n| caller.check(n)).find(Result::is_err) {
                return denied(&why);
            }
        }
        request.extensions_mut().insert(caller);
        let request = if self.anonymous {
            match Anonymous::strip(request, Utc::now()) {
                Ok(request) => request,
                Err(_) => return denied("Request has expired"),
            }
        } else {
            request.map(s3s::Body::from)
        };
        let is_head = request.method() == hyper::Method::HEAD;
        let expects = request.headers().contains_key(hyper::header::EXPECT);
        match self.s3.call(request).await {
            Ok(mut response) => {
                // the protocol layer leaves the status of a ranged HEAD, and all ids, to us
                let ranged = response.headers().contains_key(hyper::header::CONTENT_RANGE);
                if is_head && ranged && response.status() == StatusCode::OK {
                    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                }
                // refused before its body was asked for: the client may send it or not
                if expects && response.status().is_client_error() {
                    let close = hyper::header::HeaderValue::from_static("close");
                    response.headers_mut().insert(hyper::header::CONNECTION, close);
                }
                if let Ok(id) = uuid::Uuid::new_v4().simple().to_string().parse() {
                    response.headers_mut().insert("x-amz-request-id", id);
                }
                response
            }
            Err(e) => {
                let e: Box<dyn std::error::Error + Send + Sync> = e.into();
                tracing::error!(error = %e, "an S3 request failed");
                status(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

async fn read(body: Incoming, most: usize) -> Option<Bytes> {
    Some(Limited::new(body, most).collect().await.ok()?.to_bytes())
}

fn status(code: StatusCode) -> Response<s3s::Body> {
    let mut response = Response::new(s3s::Body::empty());
    *response.status_mut() = code;
    response
}

fn too_large() -> Response<s3s::Body> {
    status(StatusCode::PAYLOAD_TOO_LARGE)
}

fn denied(message: &str) -> Response<s3s::Body> {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>AccessDenied</Code>\
         <Message>{message}</Message></Error>"
    );
    let mut response = Response::new(s3s::Body::from(Bytes::from(xml)));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}
