//! The layer: the settings and the limit.

use crate::{
    Algorithm, Alike, ByCriticality, Concurrency, Handle, Observer, Settings, adaptive::Adaptive,
    shared::Shared,
};
use std::sync::Arc;
use tower_layer::Layer;
use ziggurat_core::{Grpc, Live};

/// Bounds the calls under way: those of all services together that one layer value and its clones
/// wrap.
#[derive(Clone, Debug)]
pub struct ConcurrencyLayer<C = Grpc, P = Alike> {
    shared: Arc<Shared>,
    classifier: C,
    prioritizer: P,
}

// === impl ConcurrencyLayer ===

impl ConcurrencyLayer {
    /// Lets in as many calls as the settings say; reads how they end as gRPC defines it.
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        Self {
            shared: Arc::new(Shared::new(settings.into())),
            classifier: Grpc,
            prioritizer: Alike,
        }
    }
}

impl<C, P> ConcurrencyLayer<C, P> {
    /// Finds the limit by `algorithm`, up to that of the settings. This starts a new limit, as
    /// [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn adaptive<A: Algorithm + Clone + Sync>(self, algorithm: A) -> Self {
        let shared = self.shared.isolated().adaptive(Adaptive::new(algorithm));
        self.around(shared)
    }

    /// Whether a limit that is found hears RESOURCE_EXHAUSTED, or 429, as a call that was
    /// [dropped](crate::Window#structfield.dropped).
    ///
    /// A remote server says so of itself, and a client should listen to it. The handler of a server says
    /// so of a caller, whose quota is used up, and that is no reason to send less to all; so it is not
    /// heard, unless this is said. This starts a new limit, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn heed_refusals(self, heed: bool) -> Self {
        let shared = self.shared.isolated().heed_refusals(heed);
        self.around(shared)
    }

    /// Tells `observer` what happens. This starts a new limit, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        let shared = self.shared.isolated().observer(Arc::new(observer));
        self.around(shared)
    }

    /// Reads how calls end by `classifier`: `ByResult` for services of plain values.
    #[must_use]
    pub fn classify_with<D>(self, classifier: D) -> ConcurrencyLayer<D, P> {
        ConcurrencyLayer {
            shared: self.shared,
            classifier,
            prioritizer: self.prioritizer,
        }
    }

    /// Lets the more critical calls in first, by what the requests say; for servers.
    #[must_use]
    pub fn by_criticality(self) -> ConcurrencyLayer<C, ByCriticality> {
        self.prioritize_with(ByCriticality)
    }

    /// Lets in first what `prioritizer` says matters more: a [`Prioritize`](crate::Prioritize), or a
    /// function of the request.
    #[must_use]
    pub fn prioritize_with<Q>(self, prioritizer: Q) -> ConcurrencyLayer<C, Q> {
        ConcurrencyLayer {
            shared: self.shared,
            classifier: self.classifier,
            prioritizer,
        }
    }

    /// A limit of its own, by the same settings.
    #[must_use]
    pub fn isolated(&self) -> Self
    where
        C: Clone,
        P: Clone,
    {
        let shared = self.shared.isolated();
        self.clone().around(shared)
    }

    /// Looks at the limit.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.shared))
    }

    fn around(self, shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            ..self
        }
    }
}

impl<S, C: Clone, P: Clone> Layer<S> for ConcurrencyLayer<C, P> {
    type Service = Concurrency<S, C, P>;

    fn layer(&self, inner: S) -> Concurrency<S, C, P> {
        Concurrency::new(
            inner,
            Arc::clone(&self.shared),
            self.classifier.clone(),
            self.prioritizer.clone(),
        )
    }
}
