//! Serving one connection with hyper, from its first byte to its GOAWAY.

use super::{Behaviour, link::Link, shared::Shared};
use crate::{BoxError, BoxFuture, tasks::Tasks};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    fmt,
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tonic::body::Body;

/// Everything that a connection needs, shared by all connections of a server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    answer: Answer,
    limits: Limits,
    abrupt: Arc<AtomicBool>,
    drains: watch::Sender<u64>,
}

/// What a connection is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) max_concurrent_streams: Option<u32>,
    pub(super) max_age: Option<Duration>,
}

/// What hyper resets a stream for; it looks for an HTTP/2 error code behind it.
#[derive(Debug)]
struct NoAnswer(BoxError);

/// The routes under the user's layer, erased.
pub(super) type Answer =
    Arc<dyn Fn(Request<Body>) -> BoxFuture<Result<Response<Body>, BoxError>> + Send + Sync>;

// === impl Server ===

impl Server {
    pub(super) fn new(shared: Arc<Shared>, answer: Answer, limits: Limits) -> Self {
        Self {
            shared,
            answer,
            limits,
            abrupt: Arc::default(),
            drains: watch::Sender::default(),
        }
    }

    /// Whether sockets that end from now on are reset.
    pub(super) fn abrupt(&self, abrupt: bool) {
        self.abrupt.store(abrupt, Relaxed);
    }

    /// Makes every connection that is open send GOAWAY.
    pub(super) fn drain(&self) {
        self.drains.send_modify(|drains| *drains += 1);
    }

    pub(super) fn link(&self) -> Arc<Link> {
        Arc::new(Link::new(Arc::clone(&self.abrupt)))
    }

    /// Starts to serve `io`.
    pub(super) fn serve<I>(&self, io: I, link: Arc<Link>, tasks: &Tasks)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = self.shared.open();
        let drained = self.drains.subscribe();
        let server = self.clone();
        let executor = tasks.clone();
        tasks.spawn(async move {
            let _open = open;
            server.run(io, link, drained, executor).await;
        });
    }

    async fn run<I>(
        self,
        io: I,
        link: Arc<Link>,
        mut drained: watch::Receiver<u64>,
        executor: Tasks,
    ) where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Limits {
            max_concurrent_streams,
            max_age,
        } = self.limits;
        let mut http2 = http2::Builder::new(executor);
        if max_concurrent_streams.is_some() {
            http2.max_concurrent_streams(max_concurrent_streams);
        }
        let service = {
            let link = Arc::clone(&link);
            service_fn(move |request| self.answer(request, Arc::clone(&link)))
        };
        let mut connection = pin!(http2.serve_connection(TokioIo::new(io), service));

        tokio::select! {
            // However a connection ends is its client's concern.
            _ = connection.as_mut() => return,
            () = link.until_cut() => return,
            _ = drained.changed() => {}
            () = age(max_age) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = link.until_cut() => {}
        }
    }

    /// Does what is seen on the wire alone; leaves the rest to the routes.
    fn answer(
        &self,
        request: Request<Incoming>,
        link: Arc<Link>,
    ) -> BoxFuture<Result<Response<Body>, NoAnswer>> {
        let behaviour = self.shared.arrive(request.headers());
        let latency = self.shared.latency();
        let mut request = request.map(Body::new);
        let answer = Arc::clone(&self.answer);
        Box::pin(async move {
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            match behaviour {
                Behaviour::Html(status) => {
                    let page = Full::from(format!("<html><body>{status}</body></html>"));
                    let mut response = Response::new(Body::new(page));
                    *response.status_mut() = status;
                    let html = http::HeaderValue::from_static("text/html");
                    response.headers_mut().insert(CONTENT_TYPE, html);
                    Ok(response)
                }
                Behaviour::Reset(code) => {
                    Err(NoAnswer(h2::Error::from(h2::Reason::from(code)).into()))
                }
                Behaviour::CutConnection => {
                    link.cut();
                    pending().await
                }
                behaviour => {
                    request.extensions_mut().insert(behaviour);
                    answer(request).await.map_err(NoAnswer)
                }
            }
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("shared", &self.shared)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

// === impl NoAnswer ===

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call got no answer")
    }
}

impl Error for NoAnswer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

async fn age(max_age: Option<Duration>) {
    match max_age {
        Some(max_age) => tokio::time::sleep(max_age).await,
        None => pending().await,
    }
}
