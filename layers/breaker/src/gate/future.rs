//! The future of a connector.

use super::{Gated, Make};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use ziggurat_core::Endpoint;

pin_project! {
    /// The endpoint that a [`Gate`](crate::Gate) makes, to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct GateFuture<F, C> {
        #[pin]
        inner: F,
        // Taken when the endpoint is there.
        parts: Option<(Make, C)>,
    }
}

// === impl GateFuture ===

impl<F, C> GateFuture<F, C> {
    pub(super) const fn new(inner: F, make: Make, classifier: C) -> Self {
        Self {
            inner,
            parts: Some((make, classifier)),
        }
    }
}

impl<F, C, E, Err> Future for GateFuture<F, C>
where
    F: Future<Output = Result<E, Err>>,
    E: Endpoint,
{
    type Output = Result<Gated<E, C>, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let endpoint = ready!(this.inner.poll(cx))?;
        let (make, classifier) = this
            .parts
            .take()
            .expect("a future is not polled after it is done");
        Poll::Ready(Ok(Gated::new(endpoint, &make, classifier)))
    }
}

impl<F, C> fmt::Debug for GateFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateFuture").finish_non_exhaustive()
    }
}
