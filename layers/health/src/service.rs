//! The connector, and the endpoints that it makes.

use crate::{ConnectFuture, ResponseFuture, Watch, judge::Judge, layer::Shared, seat::Seat};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{
    Availability, BoxError, Carry, Classify, Endpoint, EndpointId, Grpc, Instance, Recorder,
};

/// A connector whose endpoints are watched. Clones share what is known of them.
#[derive(Clone, Debug)]
pub struct Health<M, C = Grpc> {
    inner: M,
    classify: C,
    shared: Shared,
}

/// An endpoint that is watched: while it does badly it is [`Ejected`](ziggurat_core::State::Ejected).
///
/// Clones are the same endpoint. A call that reaches it while it is ejected is passed on.
#[derive(Clone, Debug)]
pub struct Checked<E, C = Grpc> {
    inner: E,
    classify: C,
    claim: Claim,
}

/// What ties an endpoint to its judge.
#[derive(Clone, Debug)]
enum Claim {
    Seat(Arc<Seat>),
    /// One call's, which takes it: a count of references that all calls write is written half as often.
    Lent(Option<Arc<Judge>>),
}

// === impl Health ===

impl<M, C> Health<M, C> {
    pub(crate) const fn new(inner: M, classify: C, shared: Shared) -> Self {
        Self {
            inner,
            classify,
            shared,
        }
    }
}

impl<M, C> Service<Instance> for Health<M, C>
where
    M: Service<Instance>,
    M::Response: Endpoint,
    C: Clone,
{
    type Response = Checked<M::Response, C>;
    type Error = M::Error;
    type Future = ConnectFuture<M::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        let group = self.shared.group(instance.service());
        ConnectFuture::new(self.inner.call(instance), self.classify.clone(), group)
    }
}

// === impl Checked ===

impl<E: Endpoint, C> Checked<E, C> {
    pub(crate) fn new(inner: E, classify: C, judge: Arc<Judge>) -> Self {
        let seat = Seat::take(judge, inner.availability().clone());
        Self {
            inner,
            classify,
            claim: Claim::Seat(seat),
        }
    }
}

impl<E: Endpoint, C> Endpoint for Checked<E, C>
where
    C: Clone + Send + Sync + 'static,
{
    fn id(&self) -> &EndpointId {
        self.inner.id()
    }

    fn availability(&self) -> &Availability {
        self.inner.availability()
    }

    fn load_hint(&self) -> Option<f64> {
        self.inner.load_hint()
    }

    fn weight(&self) -> u32 {
        self.inner.weight()
    }

    /// For one call, which is watched; another through the same one would not be.
    #[inline]
    fn lend(&self) -> Self {
        Self {
            inner: self.inner.lend(),
            classify: self.classify.clone(),
            claim: Claim::Lent(self.claim.judge()),
        }
    }
}

impl<E, C, Req> Service<Req> for Checked<E, C>
where
    E: Service<Req>,
    E::Error: Into<BoxError>,
    C: Classify<E::Response> + Carry<Req>,
{
    type Response = <C as Classify<E::Response>>::Response<Watch>;
    type Error = BoxError;
    type Future = ResponseFuture<E::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let deadline = self.classify.deadline(&request);
        let recorder = Recorder::new(Watch::start(self.claim.take()), deadline);
        ResponseFuture::new(self.inner.call(request), self.classify.clone(), recorder)
    }
}

// === impl Claim ===

impl Claim {
    fn judge(&self) -> Option<Arc<Judge>> {
        match self {
            Self::Seat(seat) => Some(Arc::clone(seat.judge())),
            Self::Lent(judge) => judge.clone(),
        }
    }

    /// For a call.
    #[inline]
    fn take(&mut self) -> Option<Arc<Judge>> {
        match self {
            Self::Seat(seat) => Some(Arc::clone(seat.judge())),
            Self::Lent(judge) => judge.take(),
        }
    }
}
