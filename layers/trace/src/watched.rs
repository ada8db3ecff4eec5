//! A response body whose end is written into a span.

use crate::span::{End, record_status};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tracing::Span;
use ziggurat_core::Recorded;

pin_project! {
    /// A response body that is polled inside a span, and ends it.
    #[derive(Debug)]
    pub(crate) struct Watched<B> {
        #[pin]
        inner: Recorded<B, End>,
        span: Span,
    }
}

// === impl Watched ===

impl<B> Watched<B> {
    pub(crate) const fn new(inner: Recorded<B, End>, span: Span) -> Self {
        Self { inner, span }
    }
}

impl<B: Body<Error: 'static>> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.span.in_scope(|| this.inner.poll_frame(cx));
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            record_status(this.span, trailers);
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
