//! A limit whose calls wait for their turn.

mod future;
mod turn;

pub use self::{
    future::QueuedFuture,
    turn::{Queued, Turn},
};

use crate::{Cost, Each, Queue, queue::Line, shared::Shared};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Grpc};

/// Lets calls wait for a permit of a rate limit, in order; made by
/// [`RateLimitLayer::wait_in`](crate::RateLimitLayer::wait_in).
///
/// A call waits in its future, and only if its turn comes before its deadline; else it is rejected at
/// once. One that is dropped while it waits has taken nothing, and those behind it move up. It holds
/// nothing of the service inside meanwhile, and waits for its readiness when its turn has come, as long as
/// it might have waited for that. Then it has left the queue and what it costs is spent, also if it is
/// dropped before the service is ready, or fails with [`Unready`](ziggurat_core::Unready) because it never is.
///
/// Its deadline is that of the request's extensions ([`carry_with`](Self::carry_with) for requests that
/// are not HTTP). Whoever holds a future has to poll it, as others wait behind it. The timer is tokio's,
/// in milliseconds: for more than a thousand a second the burst should be what a few of them bring.
#[derive(Clone)]
pub struct QueuedLimitLayer<C = Each, W = Grpc> {
    shared: Arc<Shared>,
    line: Arc<Line>,
    cost: C,
    carry: W,
}

/// A service whose calls wait for their turn; clones share the limit and the queue.
pub struct QueuedLimit<S, C = Each, W = Grpc> {
    inner: Queued<S>,
    shared: Arc<Shared>,
    line: Arc<Line>,
    cost: C,
    carry: W,
}

// === impl QueuedLimitLayer ===

impl<C> QueuedLimitLayer<C> {
    pub(crate) fn new(shared: Arc<Shared>, cost: C, queue: Queue) -> Self {
        Self {
            shared,
            line: Arc::new(Line::new(queue)),
            cost,
            carry: Grpc,
        }
    }
}

impl<C, W> QueuedLimitLayer<C, W> {
    /// Finds the deadline of a request by `carry`: `ByResult` for requests that have none.
    #[must_use]
    pub fn carry_with<V>(self, carry: V) -> QueuedLimitLayer<C, V> {
        QueuedLimitLayer {
            shared: self.shared,
            line: self.line,
            cost: self.cost,
            carry,
        }
    }
}

impl<S, C: Clone, W: Clone> Layer<S> for QueuedLimitLayer<C, W> {
    type Service = QueuedLimit<S, C, W>;

    fn layer(&self, inner: S) -> Self::Service {
        QueuedLimit {
            inner: Queued::new(inner),
            shared: Arc::clone(&self.shared),
            line: Arc::clone(&self.line),
            cost: self.cost.clone(),
            carry: self.carry.clone(),
        }
    }
}

// === impl QueuedLimit ===

impl<S: Clone, C: Clone, W: Clone> Clone for QueuedLimit<S, C, W> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
            line: Arc::clone(&self.line),
            cost: self.cost.clone(),
            carry: self.carry.clone(),
        }
    }
}

impl<S, C, W, Req> Service<Req> for QueuedLimit<S, C, W>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
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
        let (shared, line) = (&self.shared, &self.line);
        self.inner.call(request, |request| {
            let (cost, deadline) = (self.cost.cost(request), self.carry.deadline(request));
            match line.join(shared, cost, deadline) {
                Ok(None) => Turn::Now(Ok(())),
                Ok(Some((turn, latest))) => {
                    let shared = Arc::clone(shared);
                    let turn = async move {
                        turn.await
                            .inspect_err(|refusal| shared.observer.hear(refusal))?;
                        Ok(())
                    };
                    Turn::Later(turn, latest)
                }
                Err(refusal) => {
                    shared.observer.hear(&refusal);
                    Turn::Now(Err(refusal.into()))
                }
            }
        })
    }
}

impl<C, W> fmt::Debug for QueuedLimitLayer<C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedLimitLayer")
            .field("shared", &self.shared)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, C, W> fmt::Debug for QueuedLimit<S, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedLimit")
            .field("inner", &self.inner)
            .field("shared", &self.shared)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}
