//! The body of an answer, with limits or without.

use super::farewell::Farewell;
use bytes::Bytes;
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
        // Boxed, as few calls have one, and the others would carry the room for it.
        Watch { #[pin] body: Option<P>, farewell: Box<Farewell> },
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

    pub(super) fn watch(body: P, farewell: Farewell) -> Self {
        let (body, farewell) = (Some(body), Box::new(farewell));
        let way = Way::Watch { body, farewell };
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
    L: http_body::Body<Data = Bytes>,
    L::Error: Into<BoxError>,
    P: http_body::Body<Data = Bytes>,
    P::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().way.project() {
            WayProj::Limited { body } => body.poll_frame(cx).map_err(Into::into),
            WayProj::Exempt { body } => body.poll_frame(cx).map_err(Into::into),
            WayProj::Watch { mut body, farewell } => {
                // What was said before the end comes before it.
                if let Some(watched) = body.as_mut().as_pin_mut()
                    && let Poll::Ready(frame) = watched.poll_frame(cx)
                {
                    return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
                }
                let frame = farewell.poll(cx);
                if !farewell.is_open() {
                    body.set(None);
                }
                frame.map(|frame| frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.way {
            Way::Limited { body } => body.is_end_stream(),
            Way::Exempt { body } => body.is_end_stream(),
            Way::Watch { body, farewell } => match body {
                Some(body) => body.is_end_stream(),
                None => farewell.is_over(),
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::Limited { body } => body.size_hint(),
            Way::Exempt { body } => body.size_hint(),
            Way::Watch { .. } => SizeHint::default(),
        }
    }
}
