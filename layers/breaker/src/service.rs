//! The service behind a circuit.

use crate::{Handle, Permit, ResponseFuture, permit::Shared};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Classify, Grpc, Recorder};

/// A service behind a circuit; clones share the circuit. See the [crate](crate) for the rules.
#[derive(Clone, Debug)]
pub struct Breaker<S, C = Grpc> {
    inner: S,
    shared: Arc<Shared>,
    classifier: C,
}

// === impl Breaker ===

impl<S, C> Breaker<S, C> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>, classifier: C) -> Self {
        Self {
            inner,
            shared,
            classifier,
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
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.shared.admit() {
            Ok(permit) => {
                let recorder = Recorder::new(permit, self.classifier.deadline(&request));
                let future = self.inner.call(request);
                ResponseFuture::sent(future, self.classifier.clone(), recorder)
            }
            Err(open) => ResponseFuture::rejected(open.into()),
        }
    }
}
