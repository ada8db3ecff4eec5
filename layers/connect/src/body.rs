//! The body of an answer.

use crate::{error::Undelivered, exchange::Hold, guard::guard, life::Life};
use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderName, Response, header::CONTENT_LENGTH};
use http_body::{Frame, SizeHint};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};
use ziggurat_core::{BoxError, BrokenRequest, headers};

/// The body of an answer; by default an empty one.
///
/// Until it has ended or is dropped it occupies a stream and keeps the connection, also one whose
/// endpoint is gone. What cuts it off is an [`Undelivered`].
#[derive(Default)]
pub struct Body(Option<Open>);

// Dropped in this order: the stream is reset before its slot is free, and both before the end.
struct Open {
    stream: RecvStream,
    hold: Hold,
    _life: Arc<Life>,
    /// So many bytes are still to come, or [`UNSAID`]. h2 sees to it that they do.
    left: u64,
    /// Nothing but trailers is still to come.
    data_over: bool,
    /// Nothing is.
    over: bool,
}

const UNSAID: u64 = u64::MAX;

// === impl Body ===

impl Body {
    /// What `hold` is the place of ends with the answer.
    pub(crate) fn of(
        answer: Response<RecvStream>,
        mut hold: Hold,
        life: Arc<Life>,
    ) -> Response<Self> {
        let left = announced(&answer).unwrap_or(UNSAID);
        answer.map(|stream| {
            if stream.is_end_stream() {
                hold.let_go();
                return Self(None);
            }
            Self(Some(Open {
                stream,
                hold,
                _life: life,
                left,
                data_over: false,
                over: false,
            }))
        })
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
        let frame = ready!(open.poll_frame(cx));
        let ended = match &frame {
            Some(Ok(frame)) => frame.is_trailers() || open.stream.is_end_stream(),
            Some(Err(_)) | None => true,
        };
        if ended {
            if !matches!(frame, Some(Err(_))) {
                open.hold.let_go();
                open.over = true;
            }
            self.0 = None;
        }
        let cut_off = |error: h2::Error| {
            let cut_off = Undelivered::cut_off(&error);
            // Reset here, while somebody reads it: what was still to be sent of its request has failed.
            match error.is_reset() && !error.is_remote() && !error.is_library() {
                true => BrokenRequest::new(cut_off).into(),
                false => BoxError::from(cut_off),
            }
        };
        Poll::Ready(frame.map(|frame| frame.map_err(cut_off)))
    }

    // Looked at once a frame: to ask the stream takes the lock of its connection, and every layer
    // around asks.
    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(open) if open.left == UNSAID => SizeHint::default(),
            Some(open) => SizeHint::with_exact(open.left),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.0.is_none();
        f.debug_struct("Body").field("ended", &ended).finish()
    }
}

// === impl Open ===

impl Open {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_over {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => return Poll::Ready(Some(Ok(self.take(data)))),
                Some(Err(error)) => return Poll::Ready(self.failed(error)),
                None => self.data_over = true,
            }
        }
        Poll::Ready(match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|mut trailers| {
                guard(&mut trailers);
                Ok(Frame::trailers(trailers))
            }),
            Err(error) => self.failed(error),
        })
    }

    fn take(&mut self, data: Bytes) -> Frame<Bytes> {
        // Refused only where more is given back than came.
        let _ = self.stream.flow_control().release_capacity(data.len());
        if self.left != UNSAID {
            self.left = self.left.saturating_sub(data.len() as u64);
        }
        Frame::data(data)
    }

    /// A server that wants no more of the request says so when it has answered in full (RFC 9113,
    /// 8.1).
    fn failed<T>(&self, error: h2::Error) -> Option<Result<T, h2::Error>> {
        let content =
            error.is_remote() && error.is_reset() && error.reason() == Some(Reason::NO_ERROR);
        let full = self.left == 0 || self.left == UNSAID;
        (!(content && full)).then_some(Err(error))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // In a panic the lock of h2 may be a broken one, and a second panic ends the process.
        if !self.over && !thread::panicking() {
            self.hold.give_up(self.stream.stream_id().as_u32());
        }
    }
}

fn announced(answer: &Response<RecvStream>) -> Option<u64> {
    // A constant is made anew, and dropped, wherever it is looked for.
    static LENGTH: HeaderName = CONTENT_LENGTH;
    let length = headers::find(answer.headers(), &LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
