//! A response body inside its call's span.

use crate::{
    TraceContext, local, span,
    span::{End, Seen},
};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use ziggurat_core::Recorded;

pin_project! {
    /// A response body that is polled inside its call's span, and ends it.
    pub struct Body<B> {
        #[pin]
        inner: Recorded<B, Option<End>>,
        span: Seen,
        scope: Option<Box<TraceContext>>,
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(crate) const fn new(
        inner: Recorded<B, Option<End>>,
        span: Seen,
        scope: Option<Box<TraceContext>>,
    ) -> Self {
        Self { inner, span, scope }
    }
}

/// A body outside of any call, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(Recorded::default(), Seen::default(), None)
    }
}

impl<B: http_body::Body<Error: 'static>> http_body::Body for Body<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let inner = this.inner;
        let polled = local::within(this.scope.as_deref(), || {
            this.span.in_scope(|| inner.poll_frame(cx))
        });
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
            && let Some(span) = this.span.get()
        {
            span::record_status(span, trailers);
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

impl<B: fmt::Debug> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("inner", &self.inner)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
