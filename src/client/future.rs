//! A call of a channel, on its way.

use super::{body::Body, gate::Inside, stack::Stack};
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tower::Service;
use ziggurat_core::{BoxError, clock};

pin_project! {
    /// The response of a [`Channel`](super::Channel).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture {
        #[pin]
        state: State,
    }
}

pub(super) type StackFuture = <Stack as Service<Request<tonic::body::Body>>>::Future;

pin_project! {
    #[project = StateProj]
    enum State {
        Refused { error: Option<BoxError> },
        Sent { #[pin] future: StackFuture, inside: Option<Inside> },
    }
}

// === impl ResponseFuture ===

impl ResponseFuture {
    pub(super) fn refused(error: impl Into<BoxError>) -> Self {
        let error = Some(error.into());
        Self {
            state: State::Refused { error },
        }
    }

    pub(super) const fn sent(future: StackFuture, inside: Inside) -> Self {
        let inside = Some(inside);
        Self {
            state: State::Sent { future, inside },
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Refused { error } => {
                let error = error
                    .take()
                    .expect("a future is not polled after it has ended");
                Poll::Ready(Err(error))
            }
            StateProj::Sent { future, inside } => {
                let _holding = clock::holding();
                // Taken apart where it is, and put together where it goes: it is large.
                let (head, body) = match future.poll(cx) {
                    Poll::Ready(Ok(response)) => response.into_parts(),
                    Poll::Ready(Err(error)) => {
                        *inside = None;
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => return Poll::Pending,
                };
                let body = Body::new(body, inside.take());
                Poll::Ready(Ok(Response::from_parts(head, body)))
            }
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
