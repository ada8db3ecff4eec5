//! The service that is called at a rate.

use crate::{Cost, Each, ResponseFuture, shared::Shared};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Readiness};

/// A service that is called at a rate; clones share the limit. See the [crate](crate) for the rules.
pub struct RateLimit<S, C = Each> {
    inner: S,
    shared: Arc<Shared>,
    cost: C,
    readiness: Readiness,
}

// === impl RateLimit ===

impl<S, C> RateLimit<S, C> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>, cost: C) -> Self {
        Self {
            inner,
            shared,
            cost,
            readiness: Readiness::new(),
        }
    }

    /// The service that is limited.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service that is limited.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out of its limit.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, C: Clone> Clone for RateLimit<S, C> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self::new(self.inner.clone(), shared, self.cost.clone())
    }
}

impl<S, C, Req> Service<Req> for RateLimit<S, C>
where
    S: Service<Req>,
    C: Cost<Req>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness.poll(|| self.inner.poll_ready(cx))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        if let Some(error) = self.readiness.take() {
            return ResponseFuture::failed(error);
        }
        match self.shared.take(self.cost.cost(&request)) {
            Ok(()) => ResponseFuture::sent(self.inner.call(request)),
            Err(error) => ResponseFuture::failed(error),
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for RateLimit<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("inner", &self.inner)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
