//! The server's side: reads what the caller says, and answers whether it may try again.

use super::{Body, Chain, local::within};
use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{Code, grpc};

/// Makes [`WithChain`] services: around a handler, inside whatever answers errors.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ChainLayer;

/// Runs a handler as part of the chain that its request belongs to; the request has it as an
/// extension, too.
#[derive(Clone, Debug)]
pub struct WithChain<S> {
    inner: S,
}

pin_project! {
    /// The response of [`WithChain`]. Dropped, it drops the handler's.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        chain: Chain,
    }
}

// === impl ChainLayer ===

impl ChainLayer {
    /// There is nothing to set.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for ChainLayer {
    type Service = WithChain<S>;

    fn layer(&self, inner: S) -> WithChain<S> {
        WithChain { inner }
    }
}

// === impl WithChain ===

impl<S> WithChain<S> {
    /// The service that is called.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service that is called.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service that is called.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for WithChain<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Body<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let chain = Chain::of(request.headers());
        request.extensions_mut().insert(chain.clone());
        // A handler may make calls before it is polled.
        let inner = within(Some(&chain), || self.inner.call(request));
        ResponseFuture { inner, chain }
    }
}

// === impl ResponseFuture ===

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Body<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let chain = &*this.chain;
        let mut response = ready!(within(Some(chain), || this.inner.poll(cx)))?;
        if chain.has_given_up() {
            stop(response.headers_mut());
        }
        Poll::Ready(Ok(response.map(|body| Body::new(body, chain.clone()))))
    }
}

/// Asks not to be asked again, in an answer that is a failure and nothing else, unless it says
/// something about that itself.
fn stop(headers: &mut HeaderMap) {
    if grpc::status(headers).is_some_and(|code| code != Code::Ok) {
        headers.entry(grpc::PUSHBACK).or_insert(grpc::NEVER);
    }
}
