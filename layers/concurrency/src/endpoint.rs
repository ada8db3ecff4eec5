//! A limit for every endpoint, below the balance: one that is full is busy, and the balance picks
//! another before it waits.

use crate::{
    Algorithm, Alike, Concurrency, Handle, Permit, ResponseFuture, Settings, adaptive::Adaptive,
    shared::Shared,
};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::futures::OwnedNotified;
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{
    Availability, BoxError, Carry, Classify, Endpoint, EndpointId, Grpc, Instance, Live,
};

/// Wraps a connector, so that each endpoint it makes has a limit of its own.
///
/// An endpoint that is full is not ready, which takes nothing: a balance picks another, and waits only
/// when all are full, as long as it lets a call wait. Who is outrun between its pick and its call is
/// rejected with [`Full`](crate::Full): UNAVAILABLE, never sent, so that it may go elsewhere.
#[derive(Clone)]
pub struct EndpointLayer<C = Grpc> {
    make: Make,
    classifier: C,
}

/// A connector whose endpoints have limits.
#[derive(Clone)]
pub struct EndpointConnector<M, C = Grpc> {
    inner: M,
    make: Make,
    classifier: C,
}

/// An endpoint with a limit; clones share it.
pub struct Bounded<E, C = Grpc> {
    inner: Concurrency<E, C>,
    /// Rings when there may be room: while there was none.
    waiting: Option<Pin<Box<OwnedNotified>>>,
    /// It was told of room that another waits for, too, and has not used it.
    told: bool,
}

pin_project! {
    /// The answer of an [`EndpointConnector`]: an endpoint with a limit.
    #[must_use = "futures do nothing unless polled"]
    pub struct EndpointFuture<F, C> {
        #[pin]
        inner: F,
        // Taken when the endpoint is there.
        parts: Option<(Make, C)>,
    }
}

/// What a limit is made of.
#[derive(Clone)]
struct Make(Arc<Shared>);

// === impl EndpointLayer ===

impl EndpointLayer {
    /// Lets in as many calls as the settings say; reads how they end as gRPC defines it.
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        let shared = Shared::new(settings.into()).of_endpoint();
        Self {
            make: Make(Arc::new(shared)),
            classifier: Grpc,
        }
    }
}

impl<C> EndpointLayer<C> {
    /// Finds each limit by an `algorithm` of its own, up to that of the settings.
    #[must_use]
    pub fn adaptive<A: Algorithm + Clone + Sync>(self, algorithm: A) -> Self {
        let shared = self.make.0.isolated().adaptive(Adaptive::new(algorithm));
        Self {
            make: Make(Arc::new(shared)),
            ..self
        }
    }

    /// Whether a limit that is found hears RESOURCE_EXHAUSTED as a call that was
    /// [dropped](crate::Window#structfield.dropped): it does, as an endpoint says so of itself; not where
    /// it speaks of the quota of whoever calls.
    #[must_use]
    pub fn heed_refusals(self, heed: bool) -> Self {
        let shared = self.make.0.isolated().heed_refusals(heed);
        Self {
            make: Make(Arc::new(shared)),
            ..self
        }
    }

    /// Reads how calls end by `classifier`.
    #[must_use]
    pub fn classify_with<D>(self, classifier: D) -> EndpointLayer<D> {
        EndpointLayer {
            make: self.make,
            classifier,
        }
    }
}

impl<M, C: Clone> Layer<M> for EndpointLayer<C> {
    type Service = EndpointConnector<M, C>;

    fn layer(&self, inner: M) -> EndpointConnector<M, C> {
        EndpointConnector {
            inner,
            make: self.make.clone(),
            classifier: self.classifier.clone(),
        }
    }
}

impl<C> fmt::Debug for EndpointLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointLayer").finish_non_exhaustive()
    }
}

// === impl EndpointConnector ===

impl<M, C> Service<Instance> for EndpointConnector<M, C>
where
    M: Service<Instance>,
    M::Response: Endpoint,
    C: Clone,
{
    type Response = Bounded<M::Response, C>;
    type Error = M::Error;
    type Future = EndpointFuture<M::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        EndpointFuture {
            inner: self.inner.call(instance),
            parts: Some((self.make.clone(), self.classifier.clone())),
        }
    }
}

impl<M, C> fmt::Debug for EndpointConnector<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointConnector").finish_non_exhaustive()
    }
}

// === impl EndpointFuture ===

impl<F, C, E, Err> Future for EndpointFuture<F, C>
where
    F: Future<Output = Result<E, Err>>,
    E: Endpoint,
{
    type Output = Result<Bounded<E, C>, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let endpoint = ready!(this.inner.poll(cx))?;
        let Some((make, classifier)) = this.parts.take() else {
            // Polled after completion, which a future may answer as it likes.
            return Poll::Pending;
        };
        let shared = Arc::new(make.0.isolated());
        let inner = Concurrency::new(endpoint, shared, classifier, Alike);
        Poll::Ready(Ok(Bounded::new(inner)))
    }
}

impl<F, C> fmt::Debug for EndpointFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointFuture").finish_non_exhaustive()
    }
}

// === impl Bounded ===

impl<E, C> Bounded<E, C> {
    const fn new(inner: Concurrency<E, C>) -> Self {
        Self {
            inner,
            waiting: None,
            told: false,
        }
    }

    /// Looks at the limit.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.inner.handle()
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.inner.shared();
        let Some(room) = shared.room() else {
            return Poll::Ready(());
        };
        loop {
            if shared.has_room() {
                self.waiting = None;
                return Poll::Ready(());
            }
            self.told = false;
            let waiting = self
                .waiting
                .get_or_insert_with(|| Box::pin(Arc::clone(room).notified_owned()));
            // Whoever leaves after the first poll is heard, and whoever left before left room.
            let registered = waiting.as_mut().poll(cx);
            if registered.is_pending() && !shared.has_room() {
                return Poll::Pending;
            }
            self.told = registered.is_ready();
            // Dropped after it was told and before it has said so, it tells the next.
            self.waiting = None;
        }
    }
}

impl<E: Endpoint, C: Clone + Send + Sync + 'static> Endpoint for Bounded<E, C> {
    fn id(&self) -> &EndpointId {
        self.inner.get_ref().id()
    }

    fn availability(&self) -> &Availability {
        self.inner.get_ref().availability()
    }

    fn load_hint(&self) -> Option<f64> {
        self.inner.get_ref().load_hint()
    }

    fn weight(&self) -> u32 {
        self.inner.get_ref().weight()
    }
}

impl<E, C, Req> Service<Req> for Bounded<E, C>
where
    E: Service<Req> + Clone,
    E::Error: Into<BoxError>,
    C: Classify<E::Response> + Carry<Req>,
{
    type Response = C::Response<Permit>;
    type Error = BoxError;
    type Future = ResponseFuture<E, Req, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.poll_room(cx));
        // A balance wants to know of one that fails, to pick another.
        self.inner.get_mut().poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let answer = self.inner.call(request);
        let shared = self.inner.shared();
        // One is told for every permit that is given back; a limit that grew has room for more.
        if std::mem::take(&mut self.told)
            && shared.has_room()
            && let Some(room) = shared.room()
        {
            room.notify_one();
        }
        answer
    }
}

/// A clone waits for nothing yet.
impl<E: Clone, C: Clone> Clone for Bounded<E, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

/// What it was told of room and has not used, it tells the next.
impl<E, C> Drop for Bounded<E, C> {
    fn drop(&mut self) {
        if self.told
            && let Some(room) = self.inner.shared().room()
        {
            room.notify_one();
        }
    }
}

impl<E, C> fmt::Debug for Bounded<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded")
            .field("shared", self.inner.shared())
            .finish_non_exhaustive()
    }
}
