//! The layer: the rate and the limit.

use crate::{Observer, Rate, RateLimit, shared::Shared};
use std::sync::Arc;
use tower_layer::Layer;
use ziggurat_core::Live;

/// Limits the rate of calls: to all services together that one layer value and its clones wrap.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    shared: Arc<Shared>,
}

// === impl RateLimitLayer ===

impl RateLimitLayer {
    /// Admits calls at this rate.
    pub fn new(rate: impl Into<Live<Rate>>) -> Self {
        Self::around(Shared::new(rate.into(), None))
    }

    /// Tells `observer` what happens. This starts a new limit, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        Self::around(self.shared.with_observer(Arc::new(observer)))
    }

    /// A limit of its own, at the same rate.
    #[must_use]
    pub fn isolated(&self) -> Self {
        Self::around(self.shared.isolated())
    }

    fn around(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        RateLimit::new(inner, Arc::clone(&self.shared))
    }
}
