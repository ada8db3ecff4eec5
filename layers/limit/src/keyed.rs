//! One layer, and a limit for every key.

mod limit;

pub(crate) use self::limit::KeyedLimit;

use crate::{Cost, Each, Key, KeyExtractor, Observer, Rate, ResponseFuture, shared::Told};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{BoxError, InvalidSetting, Live, Readiness};

/// Limits the rate of calls, for every key by itself.
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use ziggurat_core::BoxError;
/// use ziggurat_limit::{Key, KeyedLimitLayer, Rate};
///
/// fn user<'r>(request: &'r &'static str) -> Option<Key<'r>> {
///     Some((*request).into())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let layer = KeyedLimitLayer::new(user, Rate::per_second(1)?);
/// let service = layer.layer(service_fn(|_| async { Ok::<_, BoxError>(()) }));
///
/// assert!(service.clone().oneshot("alice").await.is_ok());
/// assert!(service.clone().oneshot("alice").await.is_err());
/// assert!(service.oneshot("bob").await.is_ok());
/// # Ok(())
/// # }
/// ```
///
/// # Defaults
///
/// Up to 65,536 keys in use at once, for which it takes 2 MB at its first call.
#[derive(Clone)]
pub struct KeyedLimitLayer<K, C = Each> {
    limit: Arc<KeyedLimit>,
    key: K,
    cost: C,
}

/// A service with a limit for every key; clones share them.
pub struct KeyedRateLimit<S, K, C = Each> {
    inner: S,
    limit: Arc<KeyedLimit>,
    key: K,
    cost: C,
    readiness: Readiness,
}

// === impl KeyedLimitLayer ===

impl<K> KeyedLimitLayer<K> {
    /// Admits calls at this rate, for every key.
    pub fn new(key: K, rate: impl Into<Live<Rate>>) -> Self {
        let limit = KeyedLimit::new(rate.into(), KeyedLimit::KEYS, Told::default());
        Self {
            limit: Arc::new(limit),
            key,
            cost: Each,
        }
    }
}

impl<K, C> KeyedLimitLayer<K, C> {
    /// Takes of the rate what `cost` says of a request, rather than one.
    #[must_use]
    pub fn cost_with<D>(self, cost: D) -> KeyedLimitLayer<K, D> {
        KeyedLimitLayer {
            limit: self.limit,
            key: self.key,
            cost,
        }
    }

    /// Has room for so many keys in use at once, of 33 bytes each. A key is in use until its burst has
    /// come together again. This starts new limits, as [`isolated`](Self::isolated) does.
    ///
    /// When there are more, most find a place left by chance, and new ones that find none share one limit
    /// of this rate; those that have a place keep it. One that shared that limit and finds a place later
    /// begins there with what it left: the rate holds for every key. So may others who come then.
    ///
    /// # Errors
    ///
    /// If it is zero or above 67,108,864.
    pub fn keys(self, keys: usize) -> Result<Self, InvalidSetting> {
        Ok(Self {
            limit: Arc::new(self.limit.with_keys(keys)?),
            ..self
        })
    }

    /// Tells `observer` what happens. This starts new limits, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        Self {
            limit: Arc::new(self.limit.with_observer(Told::new(observer))),
            ..self
        }
    }

    /// Limits of its own, at the same rate.
    #[must_use]
    pub fn isolated(&self) -> Self
    where
        K: Clone,
        C: Clone,
    {
        Self {
            limit: Arc::new(self.limit.isolated()),
            key: self.key.clone(),
            cost: self.cost.clone(),
        }
    }

    /// How many keys are in use now. It looks at all places, so it is not for the path of a call.
    #[must_use]
    pub fn keys_in_use(&self) -> usize {
        self.limit.in_use()
    }
}

impl<S, K: Clone, C: Clone> Layer<S> for KeyedLimitLayer<K, C> {
    type Service = KeyedRateLimit<S, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyedRateLimit {
            inner,
            limit: Arc::clone(&self.limit),
            key: self.key.clone(),
            cost: self.cost.clone(),
            readiness: Readiness::new(),
        }
    }
}

// === impl KeyedRateLimit ===

impl<S: Clone, K: Clone, C: Clone> Clone for KeyedRateLimit<S, K, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            limit: Arc::clone(&self.limit),
            key: self.key.clone(),
            cost: self.cost.clone(),
            readiness: Readiness::new(),
        }
    }
}

impl<S, K, C, Req> Service<Req> for KeyedRateLimit<S, K, C>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    K: KeyExtractor<Req>,
    C: Cost<Req>,
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
        let key: Option<Key<'_>> = self.key.key(&request);
        let taken = self.limit.take(key.as_ref(), self.cost.cost(&request));
        drop(key);
        match taken {
            Ok(()) => ResponseFuture::sent(self.inner.call(request)),
            Err(refusal) => ResponseFuture::failed(refusal.into()),
        }
    }
}

impl<K, C> fmt::Debug for KeyedLimitLayer<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimitLayer")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, K, C> fmt::Debug for KeyedRateLimit<S, K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimit")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
