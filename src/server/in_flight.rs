//! Counts calls from their arrival to the last byte of their answers, and ends those that have no end of
//! their own.

mod body;
mod farewell;
mod future;

pub use self::{body::Body, future::ResponseFuture};

use super::Lifecycle;
use bytes::Bytes;
use http::{Request, Response};
use std::task::{Context, Poll};
use tower::Service;

/// A service whose calls are counted by a [`Lifecycle`]; clones count together.
#[derive(Clone, Debug)]
pub struct InFlight<S> {
    inner: S,
    lifecycle: Lifecycle,
}

/// A health check that lasts until somebody ends it.
const WATCH: &str = "/grpc.health.v1.Health/Watch";

// === impl InFlight ===

impl<S> InFlight<S> {
    pub(super) fn new(inner: S, lifecycle: &Lifecycle) -> Self {
        let lifecycle = lifecycle.clone();
        Self { inner, lifecycle }
    }
}

impl<S, Req, Rsp> Service<Request<Req>> for InFlight<S>
where
    S: Service<Request<Req>, Response = Response<Rsp>>,
    Rsp: http_body::Body<Data = Bytes>,
{
    type Response = Response<Body<Rsp>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        let counted = self.lifecycle.begin();
        let watch = (request.uri().path() == WATCH).then(|| self.lifecycle.clone());
        ResponseFuture::new(self.inner.call(request), counted, watch)
    }
}
