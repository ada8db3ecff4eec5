//! The body of an answer that came through a channel.

use super::{gate::Inside, stack::Stack};
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tower::Service;
use ziggurat_core::BoxError;

pin_project! {
    /// The body of an answer that came through a [`Channel`](super::Channel).
    ///
    /// The call is in flight until it has ended or is dropped.
    pub struct Body {
        #[pin]
        inner: StackBody,
        inside: Option<Inside>,
    }
}

pub(super) type StackBody =
    <<Stack as Service<Request<tonic::body::Body>>>::Response as HasBody>::Body;

/// Names the body of a response type.
pub(super) trait HasBody {
    type Body;
}

// === impl HasBody ===

impl<B> HasBody for http::Response<B> {
    type Body = B;
}

// === impl Body ===

impl Body {
    pub(super) const fn new(inner: StackBody, inside: Option<Inside>) -> Self {
        Self { inner, inside }
    }
}

/// An empty body, as interceptors make for answers of their own.
impl Default for Body {
    fn default() -> Self {
        Self::new(StackBody::default(), None)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = this.inner.poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            *this.inside = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
