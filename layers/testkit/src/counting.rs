//! A service that counts, so that a test can ask whether everything came back.

use crate::gauge::{Gauge, InFlight, Instance};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// Counts what happens to the service inside it; clones count into the same [`Gauge`].
#[derive(Clone, Debug)]
pub struct Counting<S> {
    inner: S,
    instance: Instance,
}

pin_project! {
    /// A call under way: counted as finished when it completes, as dropped when it does not.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        in_flight: Option<InFlight>,
    }
}

// === impl Counting ===

impl<S> Counting<S> {
    /// Counts `inner`; the gauge reads the counters.
    pub fn new(inner: S) -> (Self, Gauge) {
        let gauge = Gauge::default();
        (Self::into_gauge(inner, &gauge), gauge)
    }

    /// Counts `inner` into a gauge that exists, so that several services add up.
    pub fn into_gauge(inner: S, gauge: &Gauge) -> Self {
        Self {
            inner,
            instance: gauge.instance(),
        }
    }
}

impl<S, Req> Service<Req> for Counting<S>
where
    S: Service<Req>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.instance.gauge().poll();
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let in_flight = Some(self.instance.gauge().start());
        ResponseFuture {
            inner: self.inner.call(request),
            in_flight,
        }
    }
}

// === impl ResponseFuture ===

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(this.inner.poll(cx));
        if let Some(call) = this.in_flight.take() {
            call.finish();
        }
        Poll::Ready(output)
    }
}
