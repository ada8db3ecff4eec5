//! One layer, and a circuit for every key.

use crate::{Breakers, Key, Permit, ResponseFuture, named::Named};
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Classify, Grpc, Recorder, Unready};

/// Puts services behind the circuits of some [`Breakers`]: each request behind that of its key.
///
/// ```
/// use std::borrow::Cow;
/// use tower::{Layer, ServiceExt, service_fn};
/// use ziggurat_breaker::{Breakers, KeyedBreakerLayer, Settings};
/// use ziggurat_core::{BoxError, ByResult};
///
/// fn tenant(request: &String) -> Cow<'_, str> {
///     Cow::Borrowed(request)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let breakers = Breakers::new(Settings::new());
/// let layer = KeyedBreakerLayer::new(breakers.clone(), tenant).classify_with(ByResult);
/// let service = layer.layer(service_fn(|_: String| async { Ok::<_, BoxError>(()) }));
///
/// breakers.handle("a").force_open();
/// assert!(service.clone().oneshot("a".to_owned()).await.is_err());
/// assert!(service.oneshot("b".to_owned()).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct KeyedBreakerLayer<K, C = Grpc> {
    breakers: Breakers,
    key: K,
    classifier: C,
}

/// A service behind a circuit for every key; clones share them.
#[derive(Debug)]
pub struct KeyedBreaker<S, K, C = Grpc> {
    inner: S,
    circuits: Arc<Named>,
    key: K,
    classifier: C,
    /// What `inner` said instead of being ready: the next call's answer.
    unready: Option<BoxError>,
}

// === impl KeyedBreakerLayer ===

impl<K> KeyedBreakerLayer<K> {
    /// The circuits of `breakers`, by `key`; reads outcomes as gRPC defines them.
    pub const fn new(breakers: Breakers, key: K) -> Self {
        Self {
            breakers,
            key,
            classifier: Grpc,
        }
    }
}

impl<K, C> KeyedBreakerLayer<K, C> {
    /// Reads outcomes by `classifier`.
    #[must_use]
    pub fn classify_with<D>(self, classifier: D) -> KeyedBreakerLayer<K, D> {
        KeyedBreakerLayer {
            breakers: self.breakers,
            key: self.key,
            classifier,
        }
    }
}

impl<S, K: Clone, C: Clone> Layer<S> for KeyedBreakerLayer<K, C> {
    type Service = KeyedBreaker<S, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyedBreaker {
            inner,
            circuits: Arc::clone(self.breakers.named()),
            key: self.key.clone(),
            classifier: self.classifier.clone(),
            unready: None,
        }
    }
}

// === impl KeyedBreaker ===

impl<S: Clone, K: Clone, C: Clone> Clone for KeyedBreaker<S, K, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            circuits: Arc::clone(&self.circuits),
            key: self.key.clone(),
            classifier: self.classifier.clone(),
            unready: None,
        }
    }
}

impl<S, K, C, Req> Service<Req> for KeyedBreaker<S, K, C>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    K: Key<Req>,
    C: Classify<S::Response> + Carry<Req>,
{
    type Response = C::Response<Permit>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // What failed is not asked again before it is told.
        if self.unready.is_none()
            && let Err(error) = ready!(self.inner.poll_ready(cx))
        {
            self.unready = Some(Unready::answer(error.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let unready = self.unready.take();
        // Before it is admitted, as what is a user's may panic.
        let deadline = self.classifier.deadline(&request);
        let permit = match self.circuits.admit(&self.key.key(&request)) {
            Ok(permit) => permit,
            Err(error) => return ResponseFuture::rejected(error),
        };
        let recorder = Recorder::new(permit, deadline);
        let classifier = self.classifier.clone();
        match unready {
            None => ResponseFuture::sent(self.inner.call(request), classifier, recorder),
            Some(error) => ResponseFuture::unready(error, classifier, recorder),
        }
    }
}
