//! The service with a limit.

use crate::{
    Alike, Handle, Permit, Prioritize, Priority, ResponseFuture,
    future::Waiting,
    shared::{Second, Shared},
};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Classify, Criticality, Deadline, Grpc, Readiness, Recorder};

/// A service that has only so many calls under way; clones share the limit. See the [crate](crate)
/// for the rules.
#[derive(Debug)]
pub struct Concurrency<S, C = Grpc, P = Alike> {
    inner: S,
    shared: Arc<Shared>,
    classifier: C,
    prioritizer: P,
    readiness: Readiness,
}

// === impl Concurrency ===

impl<S, C, P> Concurrency<S, C, P> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>, classifier: C, prioritizer: P) -> Self {
        Self {
            inner,
            shared,
            classifier,
            prioritizer,
            readiness: Readiness::new(),
        }
    }

    /// Looks at the limit.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
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

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl<S: Clone, C: Clone, P: Clone> Clone for Concurrency<S, C, P> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            Arc::clone(&self.shared),
            self.classifier.clone(),
            self.prioritizer.clone(),
        )
    }
}

impl<S, C, P, Req> Service<Req> for Concurrency<S, C, P>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
    C: Classify<S::Response> + Carry<Req>,
    P: Prioritize<Req>,
{
    type Response = C::Response<Permit>;
    type Error = BoxError;
    type Future = ResponseFuture<S, Req, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness.poll(|| self.inner.poll_ready(cx))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        if let Some(error) = self.readiness.take() {
            return ResponseFuture::rejected(error);
        }
        let level = match self.prioritizer.priority(&request) {
            Priority::Level(level) => level,
            Priority::Exempt => return self.send(Permit::exempt(), None, request),
        };
        match self.shared.try_enter(level) {
            Some(permit) => {
                let deadline = self.deadline(&request);
                self.send(permit, deadline, request)
            }
            None => self.second(level, request),
        }
    }
}

impl<S, C, P> Concurrency<S, C, P> {
    #[inline]
    fn deadline<Req>(&self, request: &Req) -> Option<Deadline>
    where
        C: Carry<Req>,
    {
        // It tells a timeout from a caller who lost interest: of no interest to a limit that is set.
        self.shared
            .is_adaptive()
            .then(|| self.classifier.deadline(request))?
    }

    #[inline]
    fn send<Req>(
        &mut self,
        permit: Permit,
        deadline: Option<Deadline>,
        request: Req,
    ) -> ResponseFuture<S, Req, C>
    where
        S: Service<Req>,
        C: Clone,
    {
        // Before the call, so that it is given back even if the service panics.
        let recorder = Recorder::new(permit, deadline);
        ResponseFuture::sent(self.inner.call(request), self.classifier.clone(), recorder)
    }

    #[cold]
    fn second<Req>(&mut self, level: Criticality, request: Req) -> ResponseFuture<S, Req, C>
    where
        S: Service<Req> + Clone,
        C: Carry<Req> + Clone,
    {
        let deadline = || self.classifier.deadline(&request);
        match self.shared.enter(level, deadline) {
            Ok(Second::In(permit)) => {
                let deadline = self.deadline(&request);
                self.send(permit, deadline, request)
            }
            Ok(Second::Waiting(wait)) => {
                // What was reserved by being ready is let go: who waits here holds nothing there.
                let service = self.inner.clone();
                self.inner = service.clone();
                ResponseFuture::waiting(Box::new(Waiting {
                    service,
                    request,
                    classifier: self.classifier.clone(),
                    wait,
                    recorder: None,
                }))
            }
            Err(full) => ResponseFuture::rejected(full.into()),
        }
    }
}
