//! The service that the layer makes.

use crate::{Body, Observer, ResponseFuture, protocol::Protocol};
use http::{Request, Response};
use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::BoxError;

/// A service whose errors are answers.
///
/// See the [crate docs](crate) for the rules.
pub struct Answer<S> {
    inner: S,
    /// Why the inner service is not ready, until the next call is answered with it.
    failed: Option<BoxError>,
    observer: Option<Arc<dyn Observer>>,
}

// === impl Answer ===

impl<S> Answer<S> {
    pub(crate) const fn new(inner: S, observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            inner,
            failed: None,
            observer,
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

impl<S, Req, Rsp> Service<Request<Req>> for Answer<S>
where
    S: Service<Request<Req>, Response = Response<Rsp>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<Body<Rsp>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.failed.is_none()
            && let Err(error) = ready!(self.inner.poll_ready(cx))
        {
            self.failed = Some(error.into());
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        let protocol = Protocol::of(&request);
        let observer = self.observer.clone();
        match self.failed.take() {
            Some(error) => ResponseFuture::failed(error, protocol, observer),
            None => ResponseFuture::sent(self.inner.call(request), protocol, observer),
        }
    }
}

impl<S: Clone> Clone for Answer<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.observer.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for Answer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("inner", &self.inner)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
