//! What the stream hands out.

use std::{
    num::NonZeroU32,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{Availability, Endpoint, EndpointId};

/// An endpoint as the connector made it, with the weight that its instance has now.
///
/// When only the weight changes, the same endpoint is inserted once more with the new one.
#[derive(Clone, Debug)]
pub struct Discovered<E> {
    endpoint: E,
    weight: NonZeroU32,
}

// === impl Discovered ===

impl<E> Discovered<E> {
    pub(crate) const fn new(endpoint: E, weight: NonZeroU32) -> Self {
        Self { endpoint, weight }
    }

    /// What the connector made.
    pub const fn get_ref(&self) -> &E {
        &self.endpoint
    }

    /// What the connector made.
    pub const fn get_mut(&mut self) -> &mut E {
        &mut self.endpoint
    }

    /// What the connector made.
    pub fn into_inner(self) -> E {
        self.endpoint
    }
}

impl<E: Endpoint> Endpoint for Discovered<E> {
    fn id(&self) -> &EndpointId {
        self.endpoint.id()
    }

    fn availability(&self) -> &Availability {
        self.endpoint.availability()
    }

    fn load_hint(&self) -> Option<f64> {
        self.endpoint.load_hint()
    }

    fn weight(&self) -> u32 {
        self.weight.get()
    }

    #[inline]
    fn lend(&self) -> Self {
        Self::new(self.endpoint.lend(), self.weight)
    }
}

impl<E: Service<Req>, Req> Service<Req> for Discovered<E> {
    type Response = E::Response;
    type Error = E::Error;
    type Future = E::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E::Error>> {
        self.endpoint.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> E::Future {
        self.endpoint.call(request)
    }
}
