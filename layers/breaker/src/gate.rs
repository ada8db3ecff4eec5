//! A circuit for every endpoint, below the balance: one that is open makes its endpoint unpickable.

mod future;
mod post;

pub use self::{future::GateFuture, post::Pass};

use self::post::Post;
use crate::{Observer, Settings, circuit::Circuit};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{
    Availability, BoxError, Carry, Classify, Dice, Endpoint, EndpointId, Grpc, Instance, Live,
    Observed, Recorder,
};

/// Wraps a connector, so that each endpoint it makes has a circuit of its own.
///
/// An open circuit rejects no call: it reports its endpoint as
/// [`Ejected`](ziggurat_core::State::Ejected), so that the balance picks another, and reports it
/// ready when a probe is due. A gate that failed fast instead would look like the quickest endpoint,
/// and draw traffic. A call that comes all the same is passed on, and counts for nothing.
///
/// It looks at each endpoint by itself: what takes care that some are left is in `ziggurat-health`.
/// A ramp and throttling are for circuits that reject.
#[derive(Clone)]
pub struct GateLayer<C = Grpc> {
    make: Make,
    classifier: C,
}

/// A connector whose endpoints have circuits.
#[derive(Clone)]
pub struct Gate<M, C = Grpc> {
    inner: M,
    make: Make,
    classifier: C,
}

/// An endpoint with a circuit; clones share it.
#[derive(Clone)]
pub struct Gated<E, C = Grpc> {
    inner: E,
    post: Arc<Post>,
    classifier: C,
}

/// The answer of a [`Gated`] endpoint, to come. Dropped, the call was cancelled.
pub type GatedFuture<F, C> = Observed<F, C, Option<Pass>>;

/// What a circuit is made of.
#[derive(Clone)]
struct Make {
    settings: Live<Settings>,
    observer: Option<Arc<dyn Fn(&EndpointId) -> Arc<dyn Observer> + Send + Sync>>,
    dice: Dice,
}

// === impl GateLayer ===

impl GateLayer {
    /// Circuits by these settings, which read outcomes as gRPC defines them.
    #[must_use]
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        Self {
            make: Make {
                settings: settings.into(),
                observer: None,
                dice: Dice::new(),
            },
            classifier: Grpc,
        }
    }
}

impl<C> GateLayer<C> {
    /// Reads outcomes by `classifier`.
    #[must_use]
    pub fn classify_with<D>(self, classifier: D) -> GateLayer<D> {
        GateLayer {
            make: self.make,
            classifier,
        }
    }

    /// Tells the observer that `observer` makes for an endpoint what happens to its circuit.
    #[must_use]
    pub fn observe_with<O: Observer>(
        mut self,
        observer: impl Fn(&EndpointId) -> O + Send + Sync + 'static,
    ) -> Self {
        self.make.observer = Some(Arc::new(move |id| Arc::new(observer(id))));
        self
    }

    /// Draws jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.make.dice = dice;
        self
    }
}

impl<M, C: Clone> Layer<M> for GateLayer<C> {
    type Service = Gate<M, C>;

    fn layer(&self, inner: M) -> Gate<M, C> {
        Gate {
            inner,
            make: self.make.clone(),
            classifier: self.classifier.clone(),
        }
    }
}

impl<C> fmt::Debug for GateLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateLayer")
            .field("settings", &self.make.settings)
            .finish_non_exhaustive()
    }
}

// === impl Gate ===

impl<M, C> Service<Instance> for Gate<M, C>
where
    M: Service<Instance>,
    M::Response: Endpoint,
    C: Clone,
{
    type Response = Gated<M::Response, C>;
    type Error = M::Error;
    type Future = GateFuture<M::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        let future = self.inner.call(instance);
        GateFuture::new(future, self.make.clone(), self.classifier.clone())
    }
}

impl<M: fmt::Debug, C> fmt::Debug for Gate<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

// === impl Gated ===

impl<E: Endpoint, C> Gated<E, C> {
    fn new(inner: E, make: &Make, classifier: C) -> Self {
        let post = Post::new(make.circuit(inner.id()), inner.availability().clone());
        Self {
            inner,
            post: Arc::new(post),
            classifier,
        }
    }
}

impl<E: Endpoint, C: Clone + Send + Sync + 'static> Endpoint for Gated<E, C> {
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
}

impl<E, C, Req> Service<Req> for Gated<E, C>
where
    E: Service<Req>,
    E::Error: Into<BoxError>,
    C: Classify<E::Response> + Carry<Req>,
{
    type Response = C::Response<Option<Pass>>;
    type Error = BoxError;
    type Future = GatedFuture<E::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let deadline = self.classifier.deadline(&request);
        let recorder = Recorder::new(Post::admit(&self.post), deadline);
        GatedFuture::new(self.inner.call(request), self.classifier.clone(), recorder)
    }
}

impl<E: fmt::Debug, C> fmt::Debug for Gated<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gated")
            .field("inner", &self.inner)
            .field("post", &self.post)
            .finish_non_exhaustive()
    }
}

// === impl Make ===

impl Make {
    fn circuit(&self, id: &EndpointId) -> Circuit {
        let observer = self.observer.as_ref().map(|observer| observer(id));
        Circuit::new(self.settings.clone(), self.dice.clone(), observer)
    }
}
