//! A response body inside its call's span.

use crate::{local, served::Served, watched::Watched};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// A response body that is polled inside its call's span, and ends it.
    pub struct Body<B> {
        #[pin]
        inner: Inner<B>,
        served: Option<Box<Served>>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = InnerProj]
    enum Inner<B> {
        /// Nobody wanted a span.
        Plain { #[pin] body: B },
        Watched { body: Pin<Box<Watched<B>>> },
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(crate) const fn plain(body: B) -> Self {
        Self {
            inner: Inner::Plain { body },
            served: None,
        }
    }

    pub(crate) fn watched(body: Watched<B>) -> Self {
        let body = Box::pin(body);
        Self {
            inner: Inner::Watched { body },
            served: None,
        }
    }

    /// Makes the request's context current in every poll.
    pub(crate) fn serve(&mut self, served: Box<Served>) {
        self.served = Some(served);
    }
}

/// A body outside of any call, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::plain(B::default())
    }
}

impl<B: http_body::Body<Error: 'static>> http_body::Body for Body<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _current = local::enter(Served::context(this.served));
        match this.inner.project() {
            InnerProj::Plain { body } => body.poll_frame(cx),
            InnerProj::Watched { body } => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Plain { body } => body.is_end_stream(),
            Inner::Watched { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Plain { body } => body.size_hint(),
            Inner::Watched { body } => body.size_hint(),
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
