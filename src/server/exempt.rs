//! Health checks pass beside the limits: whoever asks wants to know of a server that is busy, too.

mod body;
mod future;

pub use self::{body::Body, future::ResponseFuture};

use http::{Request, Response};
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};
use ziggurat_core::{BoxError, grpc};

/// A handler with limits around it, and without them for health checks of gRPC.
#[derive(Clone, Debug)]
pub struct Exempt<L, S> {
    limited: L,
    handler: S,
}

// === impl Exempt ===

impl<L, S> Exempt<L, S> {
    pub(super) const fn new(limited: L, handler: S) -> Self {
        Self { limited, handler }
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
            // Boxed, as such calls are few, and the others would carry the room for it. It waits for
            // the handler by itself: what is ready here is what stands behind the limits.
            let call = self.handler.clone().oneshot(request);
            return ResponseFuture::exempt(Box::pin(call));
        }
        ResponseFuture::limited(self.limited.call(request))
    }
}
