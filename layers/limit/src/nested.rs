//! Limits within limits: a call is admitted by all of them, or costs none of them anything.

mod level;
mod levels;

use self::{
    level::{Keyed, Level, Total},
    levels::Levels,
};
use crate::{Cost, Each, KeyExtractor, Observer, Rate, ResponseFuture, shared::Told};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{BoxError, InvalidSetting, Live, Readiness};

/// Limits the rate of calls in all, and within that by one key or several: tenant, method, peer.
///
/// What one of them refuses is spent at none: all are asked before any is taken from. They are taken one
/// after the other, the innermost first, without a lock over all of them, nor over the search for a key.
/// If somebody was quicker at one, what was taken before it is given back, less the time (of nanoseconds)
/// that went by. So whoever looks at that very moment may see a limit within others with less left than
/// it has, by the calls that are about to be refused further out. Nobody ever sees more, and no limit
/// ever admits more than it allows.
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use ziggurat_core::BoxError;
/// use ziggurat_limit::{Key, NestedLimitLayer, Rate};
///
/// fn tenant<'r>(request: &'r &'static str) -> Option<Key<'r>> {
///     Some((*request).into())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let layer = NestedLimitLayer::new(Rate::per_second(3)?).within(tenant, Rate::per_second(1)?);
/// let service = layer.layer(service_fn(|_| async { Ok::<_, BoxError>(()) }));
///
/// assert!(service.clone().oneshot("a").await.is_ok());
/// for _ in 0..100 {
///     assert!(service.clone().oneshot("a").await.is_err());
/// }
/// // None of these was spent in all.
/// assert!(service.clone().oneshot("b").await.is_ok());
/// assert!(service.oneshot("c").await.is_ok());
/// # Ok(())
/// # }
/// ```
pub struct NestedLimitLayer<Req, C = Each> {
    levels: Arc<Levels<Req>>,
    cost: C,
}

/// A service with limits within limits; clones share them.
pub struct NestedLimit<S, Req, C = Each> {
    inner: S,
    levels: Arc<Levels<Req>>,
    cost: C,
    readiness: Readiness,
}

// === impl NestedLimitLayer ===

impl<Req: 'static> NestedLimitLayer<Req> {
    /// Admits calls at this rate in all.
    pub fn new(rate: impl Into<Live<Rate>>) -> Self {
        Self {
            levels: Arc::new(Levels::new(Total::new(rate.into()))),
            cost: Each,
        }
    }
}

impl<Req: 'static, C> NestedLimitLayer<Req, C> {
    /// And within that at this rate for every key. This starts new limits, as
    /// [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn within<K>(self, key: K, rate: impl Into<Live<Rate>>) -> Self
    where
        K: KeyExtractor<Req> + Clone + Send + Sync + 'static,
    {
        self.and(Keyed::new(key, rate.into()))
    }

    /// As [`within`](Self::within), with room for so many keys in use at once.
    ///
    /// # Errors
    ///
    /// If there is room for none, or for more than 67,108,864.
    pub fn within_keys<K>(
        self,
        key: K,
        rate: impl Into<Live<Rate>>,
        keys: usize,
    ) -> Result<Self, InvalidSetting>
    where
        K: KeyExtractor<Req> + Clone + Send + Sync + 'static,
    {
        Ok(self.and(Keyed::new(key, rate.into()).keys(keys)?))
    }

    /// Takes of every rate what `cost` says of a request, rather than one.
    #[must_use]
    pub fn cost_with<D>(self, cost: D) -> NestedLimitLayer<Req, D> {
        NestedLimitLayer {
            levels: self.levels,
            cost,
        }
    }

    /// Tells `observer` what happens. This starts new limits, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        Self {
            levels: Arc::new(self.levels.with_observer(Told::new(observer))),
            ..self
        }
    }

    /// Limits of its own, at the same rates.
    #[must_use]
    pub fn isolated(&self) -> Self
    where
        C: Clone,
    {
        Self {
            levels: Arc::new(self.levels.isolated()),
            cost: self.cost.clone(),
        }
    }

    fn and(self, level: impl Level<Req>) -> Self {
        Self {
            levels: Arc::new(self.levels.and(&level)),
            ..self
        }
    }
}

impl<Req, C: Clone> Clone for NestedLimitLayer<Req, C> {
    fn clone(&self) -> Self {
        Self {
            levels: Arc::clone(&self.levels),
            cost: self.cost.clone(),
        }
    }
}

impl<S, Req, C: Clone> Layer<S> for NestedLimitLayer<Req, C> {
    type Service = NestedLimit<S, Req, C>;

    fn layer(&self, inner: S) -> Self::Service {
        NestedLimit {
            inner,
            levels: Arc::clone(&self.levels),
            cost: self.cost.clone(),
            readiness: Readiness::new(),
        }
    }
}

impl<Req, C> fmt::Debug for NestedLimitLayer<Req, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NestedLimitLayer")
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}

// === impl NestedLimit ===

impl<S: Clone, Req, C: Clone> Clone for NestedLimit<S, Req, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            levels: Arc::clone(&self.levels),
            cost: self.cost.clone(),
            readiness: Readiness::new(),
        }
    }
}

impl<S, C, Req> Service<Req> for NestedLimit<S, Req, C>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    C: Cost<Req>,
    Req: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness.poll(|| self.inner.poll_ready(cx))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        if let Some(error) = self.readiness.take() {
            return ResponseFuture::failed(error);
        }
        match self.levels.take(&request, self.cost.cost(&request)) {
            Ok(()) => ResponseFuture::sent(self.inner.call(request)),
            Err(refusal) => ResponseFuture::failed(refusal.into()),
        }
    }
}

impl<S: fmt::Debug, Req, C> fmt::Debug for NestedLimit<S, Req, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NestedLimit")
            .field("inner", &self.inner)
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}
