//! The body of an answer.

use crate::{error::Undelivered, guard::guard, lane::Slot, life::Life};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use ziggurat_core::BoxError;

/// The body of an answer; by default an empty one.
///
/// Until it has ended or is dropped it occupies a stream and keeps the connection, also one whose
/// endpoint is gone. What cuts it off is an [`Undelivered`].
#[derive(Default)]
pub struct Body(Option<Open>);

// Dropped in this order: the stream is reset before its slot is free, and both before the end.
struct Open {
    incoming: Incoming,
    _slot: Slot,
    _life: Arc<Life>,
}

// === impl Body ===

impl Body {
    pub(crate) fn new(incoming: Incoming, slot: Slot, life: Arc<Life>) -> Self {
        let open = Open {
            incoming,
            _slot: slot,
            _life: life,
        };
        Self((!http_body::Body::is_end_stream(&open.incoming)).then_some(open))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(open) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let mut frame = ready!(Pin::new(&mut open.incoming).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            guard(trailers);
        }
        let ended = match &frame {
            Some(Ok(frame)) => frame.is_trailers() || open.incoming.is_end_stream(),
            Some(Err(_)) | None => true,
        };
        if ended {
            self.0 = None;
        }
        let cut_off = |error| Undelivered::cut_off(&error).into();
        Poll::Ready(frame.map(|frame| frame.map_err(cut_off)))
    }

    // Looked at once a frame: to ask the stream takes the lock of its connection, and every layer
    // around asks.
    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let exactly_none = || SizeHint::with_exact(0);
        self.0
            .as_ref()
            .map_or_else(exactly_none, |open| open.incoming.size_hint())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.0.is_none();
        f.debug_struct("Body").field("ended", &ended).finish()
    }
}
