//! How the body of an echo reply ends.

use crate::gauge::InFlight;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;
use tonic::{Code, Status, body::Body};

/// An error drops what hyper has not sent yet; after this time it has sent it.
const FLUSH: Duration = Duration::from_millis(5);

/// A reply's body; the call is in flight until the body ends.
pub(super) struct EchoBody {
    inner: Body,
    ending: Ending,
    sent_half: bool,
    flush: Option<Pin<Box<Sleep>>>,
    call: Option<InFlight>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    Stall,
    Cut,
    NoTrailers,
    Status(Code),
}

// === impl EchoBody ===

impl EchoBody {
    pub(super) fn new(inner: Body, ending: Ending, call: InFlight) -> Self {
        let mut body = Self {
            inner,
            ending,
            sent_half: false,
            flush: None,
            call: Some(call),
        };
        if body.inner.is_end_stream() {
            body.finish();
        }
        body
    }

    fn finish(&mut self) {
        if let Some(call) = self.call.take() {
            call.finish();
        }
    }

    /// Nothing follows the half that was sent.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if self.ending == Ending::Stall {
            return Poll::Pending;
        }
        let flush = self
            .flush
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(FLUSH)));
        ready!(flush.as_mut().poll(cx));
        Poll::Ready(Status::internal("the server was told to cut the body"))
    }

    fn poll_frame_of_inner(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        let frame = match frame.into_data() {
            Ok(data) if matches!(self.ending, Ending::Cut | Ending::Stall) => {
                self.sent_half = true;
                Frame::data(data.slice(..half_a_message(&data)))
            }
            Ok(data) => Frame::data(data),
            Err(_) if self.ending == Ending::NoTrailers => return Poll::Ready(None),
            Err(frame) => match (frame.into_trailers(), self.ending) {
                (Ok(trailers), Ending::Status(code)) => Frame::trailers(with_code(trailers, code)),
                (Ok(trailers), _) => Frame::trailers(trailers),
                (Err(frame), _) => frame,
            },
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

impl http_body::Body for EchoBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.sent_half {
            return self.poll_cut(cx).map(|error| Some(Err(error)));
        }
        let frame = ready!(self.poll_frame_of_inner(cx));
        // hyper does not ask again after the last frame.
        if frame.as_ref().is_none_or(is_trailers) || self.is_end_stream() {
            self.finish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        !self.sent_half && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// tonic sends several messages in one frame; none of them may arrive whole.
fn half_a_message(data: &[u8]) -> usize {
    let message = match data {
        [_, l0, l1, l2, l3, ..] => 5 + u32::from_be_bytes([*l0, *l1, *l2, *l3]) as usize,
        _ => data.len(),
    };
    message.min(data.len()) / 2
}

fn is_trailers(frame: &Result<Frame<Bytes>, Status>) -> bool {
    frame.as_ref().is_ok_and(Frame::is_trailers)
}

fn with_code(mut trailers: HeaderMap, code: Code) -> HeaderMap {
    trailers.insert("grpc-status", HeaderValue::from(i32::from(code)));
    trailers
}
