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
use ziggurat_core::{BoxError, clock};

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
    pub(super) fn new(inner: StackBody, inside: Option<Inside>) -> Self {
        let inside = inside.filter(|_| !http_body::Body::is_end_stream(&inner));
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
        let mut this = self.project();
        let _holding = clock::holding();
        // Looked at, and never moved.
        let polled = this.inner.as_mut().poll_frame(cx);
        // A reader of gRPC stops at the trailers, and one that knows the length at the last byte.
        let over = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers() || this.inner.is_end_stream(),
            Poll::Ready(Some(Err(_)) | None) => true,
            Poll::Pending => false,
        };
        if over {
            *this.inside = None;
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

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
