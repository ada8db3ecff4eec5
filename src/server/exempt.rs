//! Health checks pass beside the limits: whoever asks wants to know of a server that is busy, too.

mod body;
mod future;

pub use self::{body::Body, future::ResponseFuture};

use http::{Request, Response};
use std::{
    mem,
    task::{Context, Poll},
};
use tower::{Service, ServiceExt};
use ziggurat_core::{BoxError, Readiness, grpc};

/// A handler with limits around it, and without them for health checks of gRPC.
///
/// A limit of somebody else's may let calls wait before they are made, where no deadline is known yet: here
/// they do so afterwards, and no health check with them. Nor does one fail because that limit does: the next
/// call that it is asked about tells what it said.
#[derive(Debug)]
pub struct Exempt<L, S> {
    limited: L,
    handler: S,
    /// What `limited` said when it was asked.
    readiness: Readiness,
    /// It was not ready then.
    waits: bool,
}

// === impl Exempt ===

impl<L, S> Exempt<L, S> {
    pub(super) const fn new(limited: L, handler: S) -> Self {
        Self {
            limited,
            handler,
            readiness: Readiness::new(),
            waits: false,
        }
    }
}

/// A clone was never asked whether it is ready.
impl<L: Clone, S: Clone> Clone for Exempt<L, S> {
    fn clone(&self) -> Self {
        Self::new(self.limited.clone(), self.handler.clone())
    }
}

impl<L, S, B, Limited, Plain> Service<Request<B>> for Exempt<L, S>
where
    L: Service<Request<B>, Response = Response<Limited>> + Clone,
    L::Error: Into<BoxError>,
    S: Service<Request<B>, Response = Response<Plain>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<Body<Limited, Plain>>;
    type Error = BoxError;
    type Future = ResponseFuture<L, S, Request<B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let ready = self.readiness.poll(|| self.limited.poll_ready(cx));
        self.waits = ready.is_pending();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let waits = mem::take(&mut self.waits);
        if grpc::is_health_check(request.uri().path()) {
            // Boxed, as such calls are few, and the others would carry the room for it. It waits for
            // the handler by itself: what is ready here is what stands behind the limits.
            let call = self.handler.clone().oneshot(request);
            return ResponseFuture::exempt(Box::pin(call));
        }
        if let Some(error) = self.readiness.take() {
            return ResponseFuture::failed(error);
        }
        if waits {
            // The one that was asked: it may have a place in a line.
            let fresh = self.limited.clone();
            let call = mem::replace(&mut self.limited, fresh).oneshot(request);
            return ResponseFuture::waits(Box::pin(call));
        }
        ResponseFuture::limited(self.limited.call(request))
    }
}
