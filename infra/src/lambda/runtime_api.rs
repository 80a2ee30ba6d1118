//! The Runtime API of one process: AWS Lambda Developer Guide, "Using the Lambda runtime API".

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};

use super::invocation::{Invocation, Reply};

const VERSION: &str = "/2018-06-01/runtime/";

/// The state that the emulator and a process share.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    function_arn: String,
    /// Work for the process.
    work: Mutex<mpsc::Receiver<Invocation>>,
    /// What the process is doing.
    current: Mutex<Option<Invocation>>,
    /// Whether the process has asked for work.
    pub(super) polled: watch::Sender<bool>,
}

impl RuntimeApi {
    pub(super) fn new(function_arn: String, work: mpsc::Receiver<Invocation>) -> Arc<Self> {
        Arc::new(Self {
            function_arn,
            work: Mutex::new(work),
            current: Mutex::default(),
            polled: watch::Sender::new(false),
        })
    }

    /// Serves the process until it is dropped.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let _ = stream.set_nodelay(true);
            let api = self.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let api = api.clone();
                    async move { Ok::<_, Infallible>(api.answer(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().strip_prefix(VERSION).unwrap_or_default().to_owned();
        let method = request.method().clone();
        if method == Method::GET && path == "invocation/next" {
            return self.next().await;
        }
        let Ok(body) = request.into_body().collect().await.map(|b| b.to_bytes()) else {
            return plain(StatusCode::BAD_REQUEST);
        };
        match path.split('/').collect::<Vec<_>>()[..] {
            ["invocation", id, "response"] => self.reply(id, Reply::Response(body)).await,
            ["invocation", id, "error"] => self.reply(id, Reply::Error(body)).await,
            ["init", "error"] => {
                tracing::error!(error = %String::from_utf8_lossy(&body), "function failed to start");
                plain(StatusCode::ACCEPTED)
            }
            _ => plain(StatusCode::NOT_FOUND),
        }
    }

    /// Holds the request open until there is work.
    async fn next(&self) -> Response<Full<Bytes>> {
        self.polled.send_replace(true);
        let Some(invocation) = self.work.lock().await.recv().await else {
            // the process is about to be killed: any answer would make it complain first
            return std::future::pending().await;
        };
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &invocation.id)
            .header("lambda-runtime-deadline-ms", invocation.deadline)
            .header("lambda-runtime-invoked-function-arn", &self.function_arn)
            .header("lambda-runtime-trace-id", trace(&invocation.id))
            .body(Full::new(invocation.payload.clone()));
        *self.current.lock().await = Some(invocation);
        response.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
    }

    async fn reply(&self, id: &str, reply: Reply) -> Response<Full<Bytes>> {
        let mut current = self.current.lock().await;
        match current.take_if(|invocation| invocation.id == id) {
            Some(invocation) => {
                let _ = invocation.reply.send(reply); // its sender may have given up
                plain(StatusCode::ACCEPTED)
            }
            None => plain(StatusCode::BAD_REQUEST),
        }
    }
}

fn trace(id: &str) -> String {
    let hex: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    format!("Root=1-{}-{};Sampled=0", &hex[..8], &hex[8..32])
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    *response.status_mut() = status;
    response
}
