//! A response body that tells its recorder how it ended.

use crate::{BoxError, BrokenRequest, Code, Outcome, Record, Recorder, error, grpc};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A response body that settles a record when it has ended, and hands every frame on.
    ///
    /// Dropped before its end, the call was cancelled; or it timed out, if its deadline has passed while
    /// the reader waited for the peer. One that the reader lets wait says nothing of the peer.
    pub struct Recorded<B, R: Record> {
        #[pin]
        inner: B,
        recorder: Recorder<R>,
        ending: Ending,
        // The reader asked, and there was nothing.
        waits: bool,
    }

    impl<B, R: Record> PinnedDrop for Recorded<B, R> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.waits {
                this.recorder.let_wait();
            }
        }
    }
}

/// What a complete body looks like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// Trailers with a status, without which it was cut off.
    Grpc,
    /// Its last byte.
    Http,
}

// === impl Recorded ===

impl<B, R: Record> Recorded<B, R> {
    #[inline(always)]
    pub(super) const fn new(inner: B, recorder: Recorder<R>, ending: Ending) -> Self {
        Self {
            inner,
            recorder,
            ending,
            waits: false,
        }
    }
}

/// An empty body that records nothing, as interceptors make for answers of their own.
impl<B: Default, R: Record> Default for Recorded<B, R> {
    fn default() -> Self {
        Self::new(B::default(), Recorder::told(), Ending::Http)
    }
}

impl<B: Body<Error: 'static>, R: Record> Body for Recorded<B, R> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = this.inner.as_mut().poll_frame(cx);
        *this.waits = polled.is_pending();
        // Once it is told, what comes is no more than handed on; and never moved.
        if !this.recorder.has_told()
            && let Poll::Ready(frame) = &polled
            && let Some(outcome) = this.ending.after(frame, this.inner.as_ref().get_ref())
        {
            if let Some(Ok(frame)) = frame
                && let Some(trailers) = frame.trailers_ref()
            {
                this.recorder.trailers(trailers);
            }
            match frame {
                Some(Err(error)) if is_broken(error) => this.recorder.withdrawn(),
                _ => this.recorder.answered(outcome),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug, R: Record> fmt::Debug for Recorded<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

// === impl Ending ===

impl Ending {
    /// The outcome, if `body` ends with this frame.
    fn after<B: Body<Error: 'static>>(
        self,
        frame: &Option<Result<Frame<B::Data>, B::Error>>,
        body: &B,
    ) -> Option<Outcome> {
        match frame {
            Some(Ok(frame)) => match (frame.trailers_ref(), self) {
                (Some(trailers), Self::Grpc) => Some(self.by(grpc::status(trailers))),
                // A reader may stop here, because it knows that nothing more comes.
                (Some(_), Self::Http) => Some(Outcome::Success),
                (None, _) => body.is_end_stream().then(|| self.by(None)),
            },
            Some(Err(error)) => Some(cut_off(error)),
            None => Some(self.by(None)),
        }
    }

    /// The outcome of a body that ended with this status, or with none.
    pub(super) fn by(self, status: Option<Code>) -> Outcome {
        match (self, status) {
            (Self::Grpc, Some(code)) => Outcome::from(code),
            (Self::Grpc, None) => Outcome::Failure,
            (Self::Http, _) => Outcome::Success,
        }
    }
}

/// Is it the request that failed, behind whose answer this was?
fn is_broken<E: 'static>(error: &E) -> bool {
    boxed(error).is_some_and(|error| error::find::<BrokenRequest>(&**error).is_some())
}

fn boxed<E: 'static>(error: &E) -> Option<&BoxError> {
    (error as &dyn Any).downcast_ref()
}

/// A body that an error ends was cut off, unless it is a deadline's.
fn cut_off<E: 'static>(error: &E) -> Outcome {
    match boxed(error).and_then(|error| error::code(&**error)) {
        Some(Code::DeadlineExceeded) => Outcome::Timeout,
        _ => Outcome::Failure,
    }
}
