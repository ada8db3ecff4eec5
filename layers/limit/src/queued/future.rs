//! The answer of a service whose calls wait for their turn, to come.

use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;
use ziggurat_core::{BoxError, Deadline, Unready};

pin_project! {
    /// The response of a [`QueuedLimit`](crate::QueuedLimit), to come; or of a limit of one's own that
    /// lets calls wait in a [`Queued`](crate::Queued).
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
    service: S,
    request: Req,
    /// Until it has come.
    turn: Option<Turn>,
    /// How long the service is waited for.
    latest: Deadline,
    /// From when it was not ready.
    timer: Option<Pin<Box<Sleep>>>,
}

type Turn = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

const DONE: &str = "a future is not polled after it is done";

// === impl QueuedFuture ===

impl<S: Service<Req>, Req> QueuedFuture<S, Req> {
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

    /// A call that is sent when its `turn` has come and the service is ready then; or that fails with what
    /// `turn` says, or when the service is not ready by `latest`.
    pub(super) fn waiting(
        service: S,
        request: Req,
        turn: impl Future<Output = Result<(), BoxError>> + Send + 'static,
        latest: Deadline,
    ) -> Self {
        let waiting = Box::new(Waiting {
            service,
            request,
            turn: Some(Box::pin(turn)),
            latest,
            timer: None,
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
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Failed { error } => return Poll::Ready(Err(error.take().expect(DONE))),
                StateProj::Sent { future } => return future.poll(cx).map_err(Into::into),
                StateProj::Waiting { waiting } => {
                    let admitted = ready!(waiting.as_mut().expect(DONE).poll(cx));
                    let call = waiting.take().expect(DONE);
                    this.state.set(match admitted {
                        Ok(()) => call.send(),
                        Err(error) => State::Failed { error: Some(error) },
                    });
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

// === impl Waiting ===

impl<S: Service<Req>, Req> Waiting<S, Req> {
    /// First its turn, then the service.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>
    where
        S::Error: Into<BoxError>,
    {
        if let Some(turn) = &mut self.turn {
            ready!(turn.as_mut().poll(cx))?;
            self.turn = None;
        }
        if let Poll::Ready(ready) = self.service.poll_ready(cx) {
            return Poll::Ready(ready.map_err(|error| Unready::answer(error.into())));
        }
        let latest = self.latest.instant();
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(latest)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(Unready::answer("its turn came too late".into())))
    }

    fn send(mut self) -> State<S, Req, S::Future> {
        State::Sent {
            future: self.service.call(self.request),
        }
    }
}
