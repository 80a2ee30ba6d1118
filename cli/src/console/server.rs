use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tidemill_api::Api;
use tidemill_aws::S3Bucket;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::answer::Page;

/// A server of the console. Dropping it stops it.
pub(crate) struct Console {
    address: SocketAddr,
    token: String,
    _task: JoinSet<()>,
}

impl Console {
    /// Serves the console of a bucket on a port of the loopback address; 0 is any that is free.
    pub(crate) async fn start(
        bucket: S3Bucket,
        endpoint: Option<String>,
        port: u16,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let page = Page { api: Api::new(bucket, endpoint), port: address.port(), token };
        let token = page.token.clone();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::new(page)));
        Ok(Self { address, token, _task: task })
    }

    /// Where it is, with what it asks of its visitors.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token)
    }
}

async fn serve(listener: TcpListener, page: Arc<Page>) {
    let mut connections = JoinSet::new();
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
        let page = page.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let page = page.clone();
                async move { Ok::<_, std::convert::Infallible>(page.answer(request).await) }
            });
            let mut connection = hyper::server::conn::http1::Builder::new();
            connection.timer(TokioTimer::new());
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
