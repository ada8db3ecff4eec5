//! What is still to be sent of a request.

use crate::head;
use bytes::{Buf, Bytes};
use h2::{Reason, SendStream};
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use ziggurat_core::{BoxError, error};

/// Sends the body of a request as far as the peer lets it.
///
/// It looks one frame ahead, so that the last one says that it is the last: a call of one message is
/// one frame of DATA.
pub(crate) struct Upload<B> {
    stream: SendStream<Bytes>,
    body: B,
    /// Taken out of the body and not sent yet.
    held: Option<Bytes>,
    /// Something was sent.
    begun: bool,
}

/// What comes after the frame that is held.
enum Next {
    /// Nobody knows yet.
    Later,
    End,
    Data(Bytes),
    Trailers(http::HeaderMap),
}

// === impl Upload ===

impl<B> Upload<B> {
    pub(crate) const fn new(stream: SendStream<Bytes>, body: B) -> Self {
        Self {
            stream,
            body,
            held: None,
            begun: false,
        }
    }
}

impl<B> Upload<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    /// Ready when there is no more to send: all of it was handed over, or the stream is over and its
    /// answer tells why. The error is the body's own; the stream was reset for it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            if self.held.is_some() && self.begun && ready!(self.poll_room(cx)).is_none() {
                return Poll::Ready(Ok(()));
            }
            let next = match self.next(cx) {
                Ok(next) => next,
                Err(error) => {
                    self.stream.send_reset(reason(&*error));
                    return Poll::Ready(Err(error));
                }
            };
            let waits = matches!(next, Next::Later);
            match self.hand_over(next) {
                Ok(true) if waits => return self.poll_over(cx).map(Ok),
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(())),
                Err(error) => {
                    tracing::debug!(%error, "the rest of a request is not sent");
                    if self.poll_over(cx).is_pending() {
                        self.stream.send_reset(Reason::INTERNAL_ERROR);
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// The server sees that the rest does not come.
    pub(crate) fn cancel(&mut self) {
        self.stream.send_reset(Reason::CANCEL);
    }

    pub(crate) fn stream(&self) -> u32 {
        self.stream.stream_id().as_u32()
    }

    /// Ready when the window has room. `None`: the stream is over.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        // No more than one byte beyond what h2 has: what is asked for is kept from other streams.
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
        Poll::Ready(Some(()))
    }

    /// Ready when the stream is reset, or the connection is gone.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(|_| ())
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Result<Next, BoxError> {
        loop {
            if self.body.is_end_stream() {
                return Ok(Next::End);
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(Next::Later),
                Poll::Ready(None) => return Ok(Next::End),
                Poll::Ready(Some(frame)) => frame.map_err(Into::into)?,
            };
            if let Some(next) = told(frame) {
                return Ok(next);
            }
        }
    }

    /// Sends what was held, and what need not be. False: that was all.
    fn hand_over(&mut self, next: Next) -> Result<bool, h2::Error> {
        let held = self.held.take();
        self.begun |= held.is_some();
        match (held, next) {
            (held, Next::End) => {
                let last = held.unwrap_or_default();
                self.stream.send_data(last, true).map(|()| false)
            }
            (held, Next::Trailers(mut trailers)) => {
                if let Some(held) = held {
                    self.stream.send_data(held, false)?;
                }
                head::strip(&mut trailers);
                self.stream.send_trailers(trailers).map(|()| false)
            }
            (None, Next::Data(data)) => {
                self.held = Some(data);
                Ok(true)
            }
            (Some(held), Next::Data(data)) => {
                self.held = Some(data);
                self.stream.send_data(held, false).map(|()| true)
            }
            (Some(held), Next::Later) => self.stream.send_data(held, false).map(|()| true),
            (None, Next::Later) => Ok(true),
        }
    }
}

/// `None`: it is of no use to HTTP/2.
fn told<D: Buf>(frame: Frame<D>) -> Option<Next> {
    match frame.into_data() {
        // Without a copy, if they are `Bytes`.
        Ok(mut data) if data.has_remaining() => {
            Some(Next::Data(data.copy_to_bytes(data.remaining())))
        }
        Ok(_) => None,
        Err(frame) => frame.into_trailers().ok().map(Next::Trailers),
    }
}

/// A body that is the answer of another server hands its reason on.
fn reason(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Reason {
    let told = error::find::<h2::Error>(error).and_then(h2::Error::reason);
    // There are servers to whom this would be its end.
    let told = told.filter(|reason| *reason != Reason::NO_ERROR);
    told.unwrap_or(Reason::INTERNAL_ERROR)
}
