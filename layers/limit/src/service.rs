//! The service that is called at a rate.

use crate::{ResponseFuture, shared::Shared};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, clock};

/// A service that is called at a rate; clones share the limit. See the [crate](crate) for the rules.
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    shared: Arc<Shared>,
}

// === impl RateLimit ===

impl<S> RateLimit<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
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

impl<S, Req> Service<Req> for RateLimit<S>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.shared.take(clock::now()) {
            Ok(()) => ResponseFuture::sent(self.inner.call(request)),
            Err(limited) => ResponseFuture::limited(limited.into()),
        }
    }
}
