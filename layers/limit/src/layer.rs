//! The layer: the rate and the limit.

use crate::{
    Each, Observer, Queue, QueuedLimitLayer, Rate, RateLimit,
    shared::{Shared, Told},
};
use std::{fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::Live;

/// Limits the rate of calls: to all services together that one layer value and its clones wrap.
#[derive(Clone)]
pub struct RateLimitLayer<C = Each> {
    shared: Arc<Shared>,
    cost: C,
}

// === impl RateLimitLayer ===

impl RateLimitLayer {
    /// Admits calls at this rate.
    pub fn new(rate: impl Into<Live<Rate>>) -> Self {
        Self {
            shared: Arc::new(Shared::new(rate.into(), Told::default())),
            cost: Each,
        }
    }
}

impl<C> RateLimitLayer<C> {
    /// Takes of the rate what `cost` says of a request, rather than one.
    #[must_use]
    pub fn cost_with<D>(self, cost: D) -> RateLimitLayer<D> {
        RateLimitLayer {
            shared: self.shared,
            cost,
        }
    }

    /// Lets calls wait for their turn in a queue, rather than rejecting them at once.
    #[must_use]
    pub fn wait_in(self, queue: Queue) -> QueuedLimitLayer<C> {
        QueuedLimitLayer::new(self.shared, self.cost, queue)
    }

    /// Tells `observer` what happens. This starts a new limit, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        Self {
            shared: Arc::new(self.shared.with_observer(Told::new(observer))),
            cost: self.cost,
        }
    }

    /// A limit of its own, at the same rate.
    #[must_use]
    pub fn isolated(&self) -> Self
    where
        C: Clone,
    {
        Self {
            shared: Arc::new(self.shared.isolated()),
            cost: self.cost.clone(),
        }
    }
}

impl<S, C: Clone> Layer<S> for RateLimitLayer<C> {
    type Service = RateLimit<S, C>;

    fn layer(&self, inner: S) -> RateLimit<S, C> {
        RateLimit::new(inner, Arc::clone(&self.shared), self.cost.clone())
    }
}

impl<C> fmt::Debug for RateLimitLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
