//! A response body that is counted until it is dropped.

use super::farewell::Farewell;
use crate::server::lifecycle::Counted;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// The body of a call that is in flight for as long as this lives.
    #[derive(Debug)]
    pub struct Body<B> {
        #[pin]
        inner: B,
        counted: Option<Counted>,
        // Boxed, as few calls have one, and the others would carry the room for it.
        farewell: Option<Box<Farewell>>,
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(super) const fn new(
        inner: B,
        counted: Option<Counted>,
        farewell: Option<Box<Farewell>>,
    ) -> Self {
        Self {
            inner,
            counted,
            farewell,
        }
    }
}

/// A body outside of any call, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(B::default(), None, None)
    }
}

impl<B: http_body::Body<Data = Bytes>> http_body::Body for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let Some(farewell) = this.farewell else {
            return this.inner.poll_frame(cx);
        };
        // What was said before the end comes before it.
        if farewell.is_open()
            && let Poll::Ready(frame) = this.inner.poll_frame(cx)
        {
            return Poll::Ready(frame);
        }
        farewell.poll(cx).map(|frame| frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        match &self.farewell {
            Some(farewell) if !farewell.is_open() => farewell.is_over(),
            _ => self.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.farewell {
            Some(_) => SizeHint::default(),
            None => self.inner.size_hint(),
        }
    }
}
