//! A call that is counted.

use super::{Body, farewell::Farewell};
use crate::server::{Lifecycle, lifecycle::Counted};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

pin_project! {
    /// The response of an [`InFlight`](super::InFlight).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        counted: Option<Counted>,
        // Of a watch, which it ends.
        watch: Option<Lifecycle>,
    }
}

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    pub(super) const fn new(inner: F, counted: Counted, watch: Option<Lifecycle>) -> Self {
        let counted = Some(counted);
        Self {
            inner,
            counted,
            watch,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Body<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx));
        let counted = this.counted.take();
        Poll::Ready(response.map(|response| {
            let watch = this.watch.as_ref();
            let farewell = watch.map(|server| Box::new(Farewell::new(server, response.headers())));
            response.map(|body| Body::new(body, counted, farewell))
        }))
    }
}
