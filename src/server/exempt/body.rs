//! The body of an answer, with limits or without.

use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use ziggurat_core::BoxError;

pin_project! {
    /// The body of a call that a limit has counted, or of a health check.
    #[derive(Debug)]
    pub struct Body<L, P> {
        #[pin]
        way: Way<L, P>,
    }
}

pin_project! {
    #[project = WayProj]
    #[derive(Debug)]
    enum Way<L, P> {
        Limited { #[pin] body: L },
        Exempt { #[pin] body: P },
    }
}

// === impl Body ===

impl<L, P> Body<L, P> {
    pub(super) const fn limited(body: L) -> Self {
        let way = Way::Limited { body };
        Self { way }
    }

    pub(super) const fn exempt(body: P) -> Self {
        let way = Way::Exempt { body };
        Self { way }
    }
}

/// The inner body's default, as interceptors make for answers of their own.
impl<L: Default, P> Default for Body<L, P> {
    fn default() -> Self {
        Self::limited(L::default())
    }
}

impl<L, P> http_body::Body for Body<L, P>
where
    L: http_body::Body,
    L::Error: Into<BoxError>,
    P: http_body::Body<Data = L::Data>,
    P::Error: Into<BoxError>,
{
    type Data = L::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<L::Data>, BoxError>>> {
        match self.project().way.project() {
            WayProj::Limited { body } => body.poll_frame(cx).map_err(Into::into),
            WayProj::Exempt { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.way {
            Way::Limited { body } => body.is_end_stream(),
            Way::Exempt { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::Limited { body } => body.size_hint(),
            Way::Exempt { body } => body.size_hint(),
        }
    }
}
