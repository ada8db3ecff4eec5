//! The service behind a circuit.

use crate::{Handle, Permit, ResponseFuture, permit::Shared};
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{
    BoxError, Carry, Classify, Grpc, Recorder, Unready,
    clock::{self, Instant},
};

/// A service behind a circuit; clones share the circuit. See the [crate](crate) for the rules.
#[derive(Debug)]
pub struct Breaker<S, C = Grpc> {
    inner: S,
    shared: Arc<Shared>,
    classifier: C,
    /// What `inner` said instead of being ready: the next call's answer.
    unready: Option<BoxError>,
}

// === impl Breaker ===

impl<S, C> Breaker<S, C> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>, classifier: C) -> Self {
        Self {
            inner,
            shared,
            classifier,
            unready: None,
        }
    }

    /// Looks at the circuit, and turns it by hand.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(self.shared.circuit()))
    }

    /// The service behind the circuit.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service behind the circuit.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out of the circuit.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, C> Breaker<S, C> {
    /// A call of a circuit that is not closed, or that takes the time; or of a service that was not
    /// ready.
    #[inline(never)]
    fn call_at<Req>(&mut self, request: Req, now: Instant) -> ResponseFuture<S::Future, C>
    where
        S: Service<Req>,
        C: Carry<Req> + Clone,
    {
        let unready = self.unready.take();
        let recorder = match self.shared.admit_at(now) {
            Ok(permit) => Recorder::new(permit, self.classifier.deadline(&request)),
            Err(refusal) => return ResponseFuture::rejected(refusal.into_error()),
        };
        let classifier = self.classifier.clone();
        match unready {
            None => ResponseFuture::sent(self.inner.call(request), classifier, recorder),
            Some(error) => ResponseFuture::unready(error, classifier, recorder),
        }
    }
}

impl<S: Clone, C: Clone> Clone for Breaker<S, C> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self::new(self.inner.clone(), shared, self.classifier.clone())
    }
}

impl<S, C, Req> Service<Req> for Breaker<S, C>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    C: Classify<S::Response> + Carry<Req>,
{
    type Response = C::Response<Permit>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // What failed is not asked again before it is told.
        if self.unready.is_none()
            && let Err(error) = ready!(self.inner.poll_ready(cx))
        {
            self.unready = Some(Unready::answer(error.into()));
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        if self.unready.is_none()
            && let Some(permit) = self.shared.admit_plainly()
        {
            let recorder = Recorder::new(permit, self.classifier.deadline(&request));
            return ResponseFuture::sent(
                self.inner.call(request),
                self.classifier.clone(),
                recorder,
            );
        }
        self.call_at(request, clock::now())
    }
}
