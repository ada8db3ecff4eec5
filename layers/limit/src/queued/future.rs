//! The answer of a service whose calls wait for their turn, to come.

use crate::{error::Refusal, shared::Shared};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::BoxError;

pin_project! {
    /// The response of a [`QueuedLimit`](crate::QueuedLimit), to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct QueuedFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req, F> {
        Failed { error: Option<BoxError> },
        Waiting { waiting: Option<Box<Waiting<S, Req>>> },
        Sent { #[pin] future: F },
    }
}

/// Boxed, as few calls wait, and the others should not carry the room for it.
struct Waiting<S, Req> {
    inner: S,
    request: Req,
    turn: Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>,
    shared: Arc<Shared>,
}

// === impl QueuedFuture ===

impl<S: Service<Req>, Req> QueuedFuture<S, Req> {
    pub(crate) const fn failed(error: BoxError) -> Self {
        Self {
            state: State::Failed { error: Some(error) },
        }
    }

    pub(crate) const fn sent(future: S::Future) -> Self {
        Self {
            state: State::Sent { future },
        }
    }

    pub(crate) fn waiting(
        inner: S,
        request: Req,
        turn: impl Future<Output = Result<(), Refusal>> + Send + 'static,
        shared: Arc<Shared>,
    ) -> Self {
        let waiting = Box::new(Waiting {
            inner,
            request,
            turn: Box::pin(turn),
            shared,
        });
        Self {
            state: State::Waiting {
                waiting: Some(waiting),
            },
        }
    }
}

impl<S, Req> Future for QueuedFuture<S, Req>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const DONE: &str = "a future is not polled after it is done";
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Failed { error } => return Poll::Ready(Err(error.take().expect(DONE))),
                StateProj::Sent { future } => return future.poll(cx).map_err(Into::into),
                StateProj::Waiting { waiting } => {
                    let turn = &mut waiting.as_mut().expect(DONE).turn;
                    let admitted = ready!(turn.as_mut().poll(cx));
                    let mut waited = waiting.take().expect(DONE);
                    if let Err(refusal) = admitted {
                        waited.shared.observer.hear(&refusal);
                        return Poll::Ready(Err(refusal.into()));
                    }
                    let future = waited.inner.call(waited.request);
                    this.state.set(State::Sent { future });
                }
            }
        }
    }
}

impl<S: Service<Req>, Req> fmt::Debug for QueuedFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedFuture").finish_non_exhaustive()
    }
}
