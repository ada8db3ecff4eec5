//! A call that may panic on its way.

use super::{Body, Panicked, panicked::catch};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use ziggurat_core::BoxError;

pin_project! {
    /// The response of a [`CatchPanic`](super::CatchPanic).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            this.over();
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Failed { panicked: Option<Panicked> },
        Called { #[pin] future: F },
    }
}

// === impl ResponseFuture ===

impl<F> ResponseFuture<F> {
    pub(super) const fn failed(panicked: Panicked) -> Self {
        let panicked = Some(panicked);
        Self {
            state: State::Failed { panicked },
        }
    }

    pub(super) const fn called(future: F) -> Self {
        Self {
            state: State::Called { future },
        }
    }

    /// Drops what is left of the call, which may panic, too.
    fn over(self: Pin<&mut Self>) {
        let over = State::Failed { panicked: None };
        let _it_may_panic = catch(|| self.project().state.set(over));
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<Body<B>>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let panicked = match self.as_mut().project().state.project() {
            StateProj::Failed { panicked } => panicked
                .take()
                .expect("`ResponseFuture` polled after completion"),
            StateProj::Called { future } => match catch(|| future.poll(cx)) {
                Ok(polled) => {
                    return polled.map(|result| {
                        result
                            .map(|response| response.map(Body::new))
                            .map_err(Into::into)
                    });
                }
                Err(panicked) => panicked,
            },
        };
        // What is left of the call gives back what it holds before its answer leaves.
        self.over();
        Poll::Ready(Err(panicked.into()))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
