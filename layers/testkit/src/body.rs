//! A response body that a test writes down frame by frame.

use crate::BoxError;
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use std::{
    collections::VecDeque,
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Plays its parts in order, then ends. Empty by default; a clone plays from where the original stands.
#[derive(Default)]
pub struct ScriptBody {
    parts: VecDeque<Part>,
    waiting: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Debug)]
enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    Wait(Duration),
    Cut,
    Hang,
}

/// The error of a body that was [`cut`](ScriptBody::cut) off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyCut;

// === impl ScriptBody ===

impl ScriptBody {
    /// Then sends these bytes as one frame.
    #[must_use]
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.then(Part::Data(data.into()))
    }

    /// Then sends one gRPC message: its length in five bytes, and these bytes.
    ///
    /// # Panics
    /// When the message is longer than 4 GiB.
    #[must_use]
    pub fn message(self, message: impl Into<Bytes>) -> Self {
        let message = message.into();
        let length = u32::try_from(message.len()).expect("a test message fits a gRPC message");
        let mut framed = BytesMut::with_capacity(5 + message.len());
        framed.put_u8(0);
        framed.put_u32(length);
        framed.put_slice(&message);
        self.data(framed)
    }

    /// Then sends these trailers.
    #[must_use]
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.then(Part::Trailers(trailers))
    }

    /// Then waits so long.
    #[must_use]
    pub fn wait(self, time: Duration) -> Self {
        self.then(Part::Wait(time))
    }

    /// Then fails with [`BodyCut`].
    #[must_use]
    pub fn cut(self) -> Self {
        self.then(Part::Cut)
    }

    /// Then sends nothing more, and does not end.
    #[must_use]
    pub fn hang(self) -> Self {
        self.then(Part::Hang)
    }

    fn then(mut self, part: Part) -> Self {
        self.parts.push_back(part);
        self
    }
}

impl http_body::Body for ScriptBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            return Poll::Ready(match self.parts.pop_front() {
                None => None,
                Some(Part::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Part::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Some(Part::Wait(time)) => {
                    self.waiting = Some(Box::pin(sleep(time)));
                    continue;
                }
                Some(Part::Cut) => {
                    self.parts.clear();
                    Some(Err(BodyCut.into()))
                }
                Some(Part::Hang) => {
                    self.parts.push_front(Part::Hang);
                    return Poll::Pending;
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            SizeHint::with_exact(0)
        } else {
            SizeHint::default()
        }
    }
}

impl<T: Into<Bytes>> From<T> for ScriptBody {
    fn from(data: T) -> Self {
        Self::default().data(data)
    }
}

impl Clone for ScriptBody {
    fn clone(&self) -> Self {
        Self {
            parts: self.parts.clone(),
            waiting: None,
        }
    }
}

impl fmt::Debug for ScriptBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptBody")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

// === impl BodyCut ===

impl fmt::Display for BodyCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body was cut off")
    }
}

impl Error for BodyCut {}
