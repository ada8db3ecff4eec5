//! The answer of a service behind a circuit, to come.

use crate::Permit;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use ziggurat_core::{BoxError, Classify, Recorder};

pin_project! {
    /// The response of a [`Breaker`](crate::Breaker), to come. Dropped, the call was cancelled.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C> {
        #[pin]
        state: State<F, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C> {
        Rejected { error: Option<BoxError> },
        Unready { failed: Option<Box<Failed<C>>> },
        Sent {
            #[pin]
            future: F,
            classifier: C,
            recorder: Option<Recorder<Permit>>,
        },
    }
}

/// The inner service was not ready: a failure, as if it had been called.
struct Failed<C> {
    error: BoxError,
    classifier: C,
    recorder: Recorder<Permit>,
}

// === impl ResponseFuture ===

impl<F, C> ResponseFuture<F, C> {
    #[inline(always)]
    pub(crate) const fn rejected(error: BoxError) -> Self {
        Self {
            state: State::Rejected { error: Some(error) },
        }
    }

    #[inline(always)]
    pub(crate) fn unready(error: BoxError, classifier: C, recorder: Recorder<Permit>) -> Self {
        let failed = Some(Failed::boxed(error, classifier, recorder));
        Self {
            state: State::Unready { failed },
        }
    }

    #[inline(always)]
    pub(crate) const fn sent(future: F, classifier: C, recorder: Recorder<Permit>) -> Self {
        Self {
            state: State::Sent {
                future,
                classifier,
                recorder: Some(recorder),
            },
        }
    }
}

impl<F, C, Rsp, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Rsp, E>>,
    E: Into<BoxError>,
    C: Classify<Rsp>,
{
    type Output = Result<C::Response<Permit>, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Rejected { error } => {
                let error = error
                    .take()
                    .expect("a future is not polled after it is done");
                Poll::Ready(Err(error))
            }
            StateProj::Unready { failed } => {
                let failed = failed
                    .take()
                    .expect("a future is not polled after it is done");
                Poll::Ready(failed.answer())
            }
            StateProj::Sent {
                future,
                classifier,
                recorder,
            } => {
                let mut recorder = || {
                    let recorder = recorder.take();
                    recorder.expect("a future is not polled after it is done")
                };
                // Apart: what is brought together is moved once more, and waited for.
                match future.poll(cx) {
                    Poll::Ready(Ok(response)) => {
                        Poll::Ready(classifier.observe_response(response, recorder()))
                    }
                    Poll::Ready(Err(error)) => {
                        Poll::Ready(classifier.observe(Err(error.into()), recorder()))
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

// === impl Failed ===

impl<C> Failed<C> {
    /// Boxed, so that calls that are sent do not carry its size.
    #[cold]
    #[inline(never)]
    fn boxed(error: BoxError, classifier: C, recorder: Recorder<Permit>) -> Box<Self> {
        Box::new(Self {
            error,
            classifier,
            recorder,
        })
    }

    #[cold]
    fn answer<Rsp>(self) -> Result<C::Response<Permit>, BoxError>
    where
        C: Classify<Rsp>,
    {
        let Self {
            error,
            classifier,
            recorder,
        } = self;
        classifier.observe(Err(error), recorder)
    }
}

impl<F, C> fmt::Debug for ResponseFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
