//! The echo routes, and the behaviours that a server's own layers can see.

use super::{
    Behaviour,
    body::{EchoBody, Ending},
    shared::Shared,
};
use crate::{BoxFuture, echo::EchoHandler, proto::echo_server};
use http::{HeaderValue, Request, Response};
use std::{
    convert::Infallible,
    fmt,
    future::pending,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::{Code, Status, body::Body, service::Routes};
use tower_service::Service;

/// The echo service behind an [`EchoServer`](super::EchoServer)'s layer.
#[derive(Clone)]
pub struct EchoRoutes {
    routes: Routes,
    shared: Arc<Shared>,
}

// === impl EchoRoutes ===

impl EchoRoutes {
    pub(super) fn new(name: Arc<str>, shared: Arc<Shared>) -> Self {
        let echo = echo_server::EchoServer::new(EchoHandler::new(name));
        Self {
            routes: Routes::new(echo).prepare(),
            shared,
        }
    }
}

impl Service<Request<Body>> for EchoRoutes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let behaviour = request.extensions_mut().remove().unwrap_or_default();
        let call = self.shared.calls().start();
        // Routes are always ready, and a future that is not polled does nothing.
        let mut routes = self.routes.clone();
        Box::pin(async move {
            let ending = match behaviour {
                Behaviour::Fail(code) => {
                    call.finish();
                    return Ok(failure(code));
                }
                Behaviour::PushBack(code, pushback) => {
                    call.finish();
                    return Ok(push_back(code, &pushback));
                }
                Behaviour::Slow(time) => {
                    tokio::time::sleep(time).await;
                    Ending::Whole
                }
                // The request is kept: to drop it would reset its stream.
                Behaviour::Stall => pending().await,
                Behaviour::StallBody => Ending::Stall,
                Behaviour::CutBody => Ending::Cut,
                Behaviour::FailLate(code) => Ending::Status(code),
                Behaviour::MissingStatus => Ending::NoTrailers,
                _ => Ending::Whole,
            };
            let response = routes.call(request).await?;
            Ok(response.map(|body| Body::new(EchoBody::new(body, ending, call))))
        })
    }
}

impl fmt::Debug for EchoRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EchoRoutes").finish_non_exhaustive()
    }
}

fn failure(code: Code) -> Response<Body> {
    Status::new(code, "the server was told to fail").into_http()
}

fn push_back(code: Code, pushback: &str) -> Response<Body> {
    let mut response = failure(code);
    if let Ok(value) = HeaderValue::from_str(pushback) {
        response
            .headers_mut()
            .insert("grpc-retry-pushback-ms", value);
    }
    response
}
