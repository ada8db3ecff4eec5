//! The answer of a service with a limit, to come.

use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use ziggurat_core::BoxError;

pin_project! {
    /// The response of a [`RateLimit`](crate::RateLimit), to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Failed { error: Option<BoxError> },
        Sent { #[pin] future: F },
    }
}

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    pub(crate) const fn failed(error: BoxError) -> Self {
        Self {
            state: State::Failed { error: Some(error) },
        }
    }

    pub(crate) const fn sent(future: F) -> Self {
        Self {
            state: State::Sent { future },
        }
    }
}

impl<F, Rsp, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Rsp, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Rsp, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Failed { error } => {
                let error = error
                    .take()
                    .expect("a future is not polled after it is done");
                Poll::Ready(Err(error))
            }
            StateProj::Sent { future } => future.poll(cx).map_err(Into::into),
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
