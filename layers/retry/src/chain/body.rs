//! The body of an answer, whose frames may cost calls as well.

use super::{Chain, local::within};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// The body of an answer, polled as part of its request's chain.
    #[derive(Debug, Default)]
    pub struct Body<B> {
        #[pin]
        inner: B,
        chain: Option<Chain>,
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(super) const fn new(inner: B, chain: Chain) -> Self {
        let chain = Some(chain);
        Self { inner, chain }
    }
}

impl<B: http_body::Body> http_body::Body for Body<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        within(this.chain.as_ref(), || this.inner.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
