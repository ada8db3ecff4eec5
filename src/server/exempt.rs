//! Health checks pass beside the limits: whoever asks wants to know of a server that is busy, too.

mod body;
mod farewell;
mod future;

pub use self::{body::Body, future::ResponseFuture};

use super::Lifecycle;
use http::{Request, Response};
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};
use ziggurat_core::{BoxError, grpc};

/// A handler with limits around it, and without them for health checks of gRPC.
#[derive(Clone, Debug)]
pub struct Exempt<L, S> {
    limited: L,
    handler: S,
    lifecycle: Lifecycle,
}

/// A check that lasts until somebody ends it.
const WATCH: &str = "/Watch";

// === impl Exempt ===

impl<L, S> Exempt<L, S> {
    pub(super) fn new(limited: L, handler: S, lifecycle: &Lifecycle) -> Self {
        Self {
            limited,
            handler,
            lifecycle: lifecycle.clone(),
        }
    }
}

impl<L, S, B, Limited, Plain> Service<Request<B>> for Exempt<L, S>
where
    L: Service<Request<B>, Response = Response<Limited>>,
    L::Error: Into<BoxError>,
    S: Service<Request<B>, Response = Response<Plain>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<Body<Limited, Plain>>;
    type Error = BoxError;
    type Future = ResponseFuture<L::Future, S, Request<B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.limited.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if grpc::is_health_check(request.uri().path()) {
            let watch = request.uri().path().ends_with(WATCH);
            let closing = watch.then(|| Box::pin(self.lifecycle.closing()) as _);
            // It waits for the handler by itself: what is ready here is what stands behind the limits.
            let call = self.handler.clone().oneshot(request);
            return ResponseFuture::exempt(call, closing);
        }
        ResponseFuture::limited(self.limited.call(request))
    }
}
