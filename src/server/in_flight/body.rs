//! A response body that is counted until it is dropped.

use crate::server::lifecycle::Counted;
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
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(super) const fn new(inner: B, counted: Option<Counted>) -> Self {
        Self { inner, counted }
    }
}

/// A body outside of any call, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}

impl<B: http_body::Body> http_body::Body for Body<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
