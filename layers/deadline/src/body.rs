//! A response body that must end in time.

use crate::{Phase, mode::Timer};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use ziggurat_core::{BoxError, expire_read};

pin_project! {
    /// A response body that fails with [`Exceeded`](crate::Exceeded) when the deadline passes
    /// before its end.
    ///
    /// The deadline is looked at when it must wait, and for every piece after which another comes.
    /// What ends the body is handed on, even if it is late: all of the answer is there.
    #[derive(Debug)]
    pub struct Body<B> {
        #[pin]
        inner: Option<B>,
        timer: Option<Timer>,
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(crate) const fn new(inner: B, timer: Option<Timer>) -> Self {
        Self {
            inner: Some(inner),
            timer,
        }
    }
}

/// A body without a deadline, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(timer) = this.timer else {
            return inner.poll_frame(cx).map_err(Into::into);
        };
        let polled = timer.within(|| inner.as_mut().poll_frame(cx));
        let over = match &polled {
            Poll::Pending => Some(ready!(timer.poll_over(cx))),
            // A body that never pends must end in time as well.
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                if inner.is_end_stream() {
                    None
                } else {
                    timer.over()
                }
            }
            Poll::Ready(_) => {
                *this.timer = None;
                None
            }
        };
        let (Some(now), Some(timer)) = (over, &this.timer) else {
            return polled.map_err(Into::into);
        };
        // Dropped now, so that the peer hears of it whatever the reader does next.
        let error = timer.end(Phase::Body, now, || match &polled {
            Poll::Pending => this.inner.set(None),
            Poll::Ready(_) => expire_read(|| this.inner.set(None)),
        });
        *this.timer = None;
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
