//! The service behind a circuit.

use crate::{Handle, Permit, ResponseFuture, permit::Shared};
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Classify, Grpc, Recorder, Unready};

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

    #[inline(always)]
    fn call(&mut self, request: Req) -> Self::Future {
        let unready = self.unready.take();
        // Before it is admitted: what is a user's may panic, and a permit is kept by nobody yet.
        let deadline = self.classifier.deadline(&request);
        let permit = match self.shared.admit() {
            Ok(permit) => permit,
            Err(error) => return ResponseFuture::rejected(error),
        };
        let recorder = Recorder::new(permit, deadline);
        let classifier = self.classifier.clone();
        match unready {
            None => ResponseFuture::sent(self.inner.call(request), classifier, recorder),
            Some(error) => ResponseFuture::unready(error, classifier, recorder),
        }
    }
}
