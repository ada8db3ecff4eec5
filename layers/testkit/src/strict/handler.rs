//! Functions and nothing at all as services.

use crate::BoxError;
use std::{
    fmt,
    future::{Ready, ready},
    task::{Context, Poll},
};
use tower_service::Service;

/// A function as a service that is always ready.
#[derive(Clone, Copy)]
pub struct Handler<F>(F);

/// Answers with the request itself, and is always ready.
#[derive(Clone, Copy, Debug)]
pub struct Echo;

// === impl Handler ===

impl<F> Handler<F> {
    /// Calls `function` with each request.
    pub const fn new(function: F) -> Self {
        Self(function)
    }
}

impl<F, Req, Fut, Rsp> Service<Req> for Handler<F>
where
    F: Fn(Req) -> Fut,
    Fut: Future<Output = Result<Rsp, BoxError>>,
{
    type Response = Rsp;
    type Error = BoxError;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Fut {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for Handler<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

// === impl Echo ===

impl<Req> Service<Req> for Echo {
    type Response = Req;
    type Error = BoxError;
    type Future = Ready<Result<Req, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        ready(Ok(request))
    }
}
