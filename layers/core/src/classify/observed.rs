//! The answer of a call that is observed, to come.

use super::Classify;
use crate::{BoxError, Record, Recorder};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A call whose record is settled by its answer: what the future of a layer that only watches is.
    ///
    /// Dropped before that, the call was cancelled.
    #[must_use = "futures do nothing unless polled"]
    pub struct Observed<F, C, R: Record> {
        #[pin]
        inner: F,
        classify: C,
        recorder: Option<Recorder<R>>,
    }
}

// === impl Observed ===

impl<F, C, R: Record> Observed<F, C, R> {
    /// Settles `recorder` by what `classify` reads from the answer of `inner`.
    pub const fn new(inner: F, classify: C, recorder: Recorder<R>) -> Self {
        Self {
            inner,
            classify,
            recorder: Some(recorder),
        }
    }
}

impl<F, C, R, Rsp, E> Future for Observed<F, C, R>
where
    F: Future<Output = Result<Rsp, E>>,
    E: Into<BoxError>,
    C: Classify<Rsp>,
    R: Record,
{
    type Output = Result<C::Response<R>, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut recorder = || {
            let recorder = this.recorder.take();
            recorder.expect("a future is not polled after it is done")
        };
        // Apart: what is brought together is moved once more, and waited for.
        match this.inner.poll(cx) {
            Poll::Ready(Ok(response)) => {
                Poll::Ready(this.classify.observe_response(response, recorder()))
            }
            Poll::Ready(Err(error)) => {
                Poll::Ready(this.classify.observe(Err(error.into()), recorder()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<F, C, R: Record> fmt::Debug for Observed<F, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}
