//! The futures of a connector and of its endpoints.

use super::{Gated, Make, Pass};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use ziggurat_core::{BoxError, Classify, Endpoint, Recorder};

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

pin_project! {
    /// The answer of a [`Gated`] endpoint, to come. Dropped, the call was cancelled.
    #[must_use = "futures do nothing unless polled"]
    pub struct GatedFuture<F, C> {
        #[pin]
        inner: F,
        classifier: C,
        recorder: Option<Recorder<Option<Pass>>>,
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

// === impl GatedFuture ===

impl<F, C> GatedFuture<F, C> {
    pub(super) const fn new(inner: F, classifier: C, recorder: Recorder<Option<Pass>>) -> Self {
        Self {
            inner,
            classifier,
            recorder: Some(recorder),
        }
    }
}

impl<F, C, Rsp, E> Future for GatedFuture<F, C>
where
    F: Future<Output = Result<Rsp, E>>,
    E: Into<BoxError>,
    C: Classify<Rsp>,
{
    type Output = Result<C::Response<Option<Pass>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx)).map_err(Into::into);
        let recorder = this
            .recorder
            .take()
            .expect("a future is not polled after it is done");
        Poll::Ready(this.classifier.observe(result, recorder))
    }
}

impl<F, C> fmt::Debug for GatedFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedFuture").finish_non_exhaustive()
    }
}
