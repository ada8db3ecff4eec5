//! The service that is called at a rate which others share.

use super::limit::{Limit, Taken};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower::Service;
use ziggurat_core::{BoxError, Carry, Deadline, Grpc};
use ziggurat_limit::{Cost, Each, KeyExtractor, Queued, QueuedFuture, Turn};

/// A service with a limit on Redis for every key; clones share them.
pub struct RedisLimit<S, K, C = Each, W = Grpc> {
    inner: Queued<S>,
    limit: Arc<Limit>,
    key: K,
    cost: C,
    carry: W,
}

/// A call that had to ask Redis waits no longer than this until its service is ready again.
const READY: Duration = Duration::from_secs(10);

// === impl RedisLimit ===

impl<S, K, C, W> RedisLimit<S, K, C, W> {
    pub(super) const fn new(inner: S, limit: Arc<Limit>, key: K, cost: C, carry: W) -> Self {
        Self {
            inner: Queued::new(inner),
            limit,
            key,
            cost,
            carry,
        }
    }
}

impl<S: Clone, K: Clone, C: Clone, W: Clone> Clone for RedisLimit<S, K, C, W> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            limit: Arc::clone(&self.limit),
            key: self.key.clone(),
            cost: self.cost.clone(),
            carry: self.carry.clone(),
        }
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
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.inner.call(request, |request| {
            let key = self.key.key(request);
            let deadline = || self.carry.deadline(request);
            let cost = self.cost.cost(request);
            match self.limit.take(key.as_ref(), cost, deadline) {
                Taken::Now(answer) => Turn::Now(answer),
                Taken::Wait(wait) => Turn::Later(wait.done(), ready_by(deadline())),
            }
        })
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

/// The deadline of a call, or a bound of our own.
fn ready_by(deadline: Option<Deadline>) -> Deadline {
    let latest = Deadline::after(READY);
    deadline.map_or(latest, |deadline| deadline.min(latest))
}
