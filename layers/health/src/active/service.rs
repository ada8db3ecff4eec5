//! The connector, and the endpoints that it makes.

use super::{ActiveLayer, ConnectFuture};
use bytes::{Buf, Bytes};
use http::{Request, Response};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tokio::task::JoinSet;
use tower_service::Service;
use ziggurat_core::{Availability, BoxError, Endpoint, EndpointId, Instance};

/// A connector whose endpoints are asked how they do.
#[derive(Clone, Debug)]
pub struct Active<M, F> {
    inner: M,
    layer: ActiveLayer<F>,
}

/// An endpoint that is asked how it does. Clones are the same endpoint.
#[derive(Clone, Debug)]
pub struct Monitored<E> {
    inner: E,
    /// A set of one, which ends its task when the last clone is dropped. `None`: nobody asks.
    _task: Option<Arc<JoinSet<()>>>,
}

// === impl Active ===

impl<M, F> Active<M, F> {
    pub(super) const fn new(inner: M, layer: ActiveLayer<F>) -> Self {
        Self { inner, layer }
    }
}

impl<M, F, B, A> Service<Instance> for Active<M, F>
where
    M: Service<Instance>,
    M::Response: Endpoint + Service<Request<B>, Response = Response<A>>,
    <M::Response as Service<Request<B>>>::Error: Into<BoxError>,
    <M::Response as Service<Request<B>>>::Future: Send,
    F: Fn(Bytes) -> B + Clone + Send + Sync + 'static,
    B: Send + 'static,
    A: http_body::Body + Send + 'static,
    A::Data: Buf + Send,
    A::Error: Into<BoxError>,
{
    type Response = Monitored<M::Response>;
    type Error = M::Error;
    type Future = ConnectFuture<M::Future, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        let service = instance.service().into();
        ConnectFuture::new(self.inner.call(instance), service, self.layer.clone())
    }
}

// === impl Monitored ===

impl<E> Monitored<E> {
    pub(super) fn new(inner: E, task: Option<JoinSet<()>>) -> Self {
        Self {
            inner,
            _task: task.map(Arc::new),
        }
    }
}

impl<E: Endpoint> Endpoint for Monitored<E> {
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

    /// Without a share of the task: a call need not keep it alive.
    #[inline]
    fn lend(&self) -> Self {
        Self::new(self.inner.lend(), None)
    }
}

impl<E: Service<Req>, Req> Service<Req> for Monitored<E> {
    type Response = E::Response;
    type Error = E::Error;
    type Future = E::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> E::Future {
        self.inner.call(request)
    }
}
