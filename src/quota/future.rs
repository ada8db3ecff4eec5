//! The answer of a service with a limit on Redis, to come.

use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower::Service;
use ziggurat_core::BoxError;

pin_project! {
    /// The response of a [`RedisLimit`](super::RedisLimit), to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req>
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
    turn: Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>,
}

// === impl ResponseFuture ===

impl<S: Service<Req>, Req> ResponseFuture<S, Req> {
    pub(super) const fn failed(error: BoxError) -> Self {
        Self {
            state: State::Failed { error: Some(error) },
        }
    }

    pub(super) const fn sent(future: S::Future) -> Self {
        Self {
            state: State::Sent { future },
        }
    }

    pub(super) fn waiting(
        inner: S,
        request: Req,
        turn: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Self {
        let waiting = Box::new(Waiting {
            inner,
            request,
            turn: Box::pin(turn),
        });
        Self {
            state: State::Waiting {
                waiting: Some(waiting),
            },
        }
    }
}

impl<S, Req> Future for ResponseFuture<S, Req>
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
                    let turn = ready!(waiting.as_mut().expect(DONE).turn.as_mut().poll(cx));
                    let Waiting {
                        mut inner, request, ..
                    } = *waiting.take().expect(DONE);
                    let next = match turn {
                        Ok(()) => State::Sent {
                            future: inner.call(request),
                        },
                        Err(error) => State::Failed { error: Some(error) },
                    };
                    this.state.set(next);
                }
            }
        }
    }
}

impl<S: Service<Req>, Req> fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
