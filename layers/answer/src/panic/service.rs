//! The service that the layer makes.

use super::{Body, Panicked, ResponseFuture, panicked::catch};
use http::{Request, Response};
use std::task::{Context, Poll};
use tower_service::Service;
use ziggurat_core::BoxError;

/// A service whose panics are errors.
///
/// A clone does not inherit that the inner service panicked when it was asked whether it is ready.
#[derive(Debug)]
pub struct CatchPanic<S> {
    inner: S,
    /// The inner service panicked instead of being ready: the next call's answer.
    panicked: Option<Panicked>,
}

// === impl CatchPanic ===

impl<S> CatchPanic<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self {
            inner,
            panicked: None,
        }
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Req, Rsp> Service<Request<Req>> for CatchPanic<S>
where
    S: Service<Request<Req>, Response = Response<Rsp>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<Body<Rsp>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.panicked.is_some() {
            return Poll::Ready(Ok(()));
        }
        match catch(|| self.inner.poll_ready(cx)) {
            Ok(ready) => ready.map_err(Into::into),
            Err(panicked) => {
                self.panicked = Some(panicked);
                Poll::Ready(Ok(()))
            }
        }
    }

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        if let Some(panicked) = self.panicked.take() {
            return ResponseFuture::failed(panicked);
        }
        match catch(|| self.inner.call(request)) {
            Ok(future) => ResponseFuture::called(future),
            Err(panicked) => ResponseFuture::failed(panicked),
        }
    }
}

impl<S: Clone> Clone for CatchPanic<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}
