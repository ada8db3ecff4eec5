//! The service that is called at a rate which others share.

use super::limit::{Limit, Taken};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower::Service;
use ziggurat_core::{BoxError, Carry, Grpc, Unready};
use ziggurat_limit::{Cost, Each, KeyExtractor, QueuedFuture};

/// A service with a limit on Redis for every key; clones share them.
pub struct RedisLimit<S, K, C = Each, W = Grpc> {
    inner: S,
    limit: Arc<Limit>,
    key: K,
    cost: C,
    carry: W,
    /// What `inner` said instead of being ready: the next call's answer.
    unready: Option<BoxError>,
}

// === impl RedisLimit ===

impl<S, K, C, W> RedisLimit<S, K, C, W> {
    pub(super) const fn new(inner: S, limit: Arc<Limit>, key: K, cost: C, carry: W) -> Self {
        Self {
            inner,
            limit,
            key,
            cost,
            carry,
            unready: None,
        }
    }
}

impl<S: Clone, K: Clone, C: Clone, W: Clone> Clone for RedisLimit<S, K, C, W> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            Arc::clone(&self.limit),
            self.key.clone(),
            self.cost.clone(),
            self.carry.clone(),
        )
    }
}

impl<S, K, C, W, Req> Service<Req> for RedisLimit<S, K, C, W>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
    K: KeyExtractor<Req>,
    C: Cost<Req>,
    W: Carry<Req>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = QueuedFuture<S, Req>;

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
        if let Some(error) = self.unready.take() {
            return QueuedFuture::failed(error);
        }
        let taken = {
            let key = self.key.key(&request);
            let deadline = || self.carry.deadline(&request);
            self.limit
                .take(key.as_ref(), self.cost.cost(&request), deadline)
        };
        match taken {
            Taken::Now(Ok(())) => QueuedFuture::sent(self.inner.call(request)),
            Taken::Now(Err(error)) => QueuedFuture::failed(error),
            Taken::Wait(wait) => QueuedFuture::waiting(&mut self.inner, request, wait.done()),
        }
    }
}

impl<S: fmt::Debug, K, C, W> fmt::Debug for RedisLimit<S, K, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimit")
            .field("inner", &self.inner)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
