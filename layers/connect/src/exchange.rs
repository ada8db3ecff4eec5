//! One call on its connection, up to the head of its answer.

use crate::{lane::Slot, upload::Upload};
use h2::{RecvStream, client};
use http::Response;
use http_body::Body;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};
use tokio::{runtime::Handle, task::AbortHandle};
use ziggurat_core::BoxError;

/// Sends a request and waits for the head of the answer; dropped, it resets the stream.
///
/// Dropped in this order: the stream is reset before its slot is free.
pub(crate) struct Exchange<B> {
    answer: client::ResponseFuture,
    upload: Option<Upload<B>>,
    /// `None`: it was answered.
    slot: Option<Slot>,
}

/// The head of an answer, what is still to be sent of the request, and their place.
pub(crate) type Answered<B> = (Response<RecvStream>, Option<Upload<B>>, Slot);

pub(crate) enum Failed {
    /// The body of the request failed.
    Request(BoxError),
    Stream(h2::Error),
}

/// The place that a call occupies on its connection.
pub(crate) enum Hold {
    Alone(Slot),
    /// A part of the request is still sent.
    Shared(Rest),
}

/// What is left to be sent of a request whose answer has begun; dropped, it is not sent.
pub(crate) struct Rest {
    /// `None`: it may be.
    task: Option<AbortHandle>,
    slot: Arc<Slot>,
}

/// Sends the rest of a request. Dropped in this order: the stream is reset before its slot is free.
struct Sending<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    upload: Option<Upload<B>>,
    slot: Arc<Slot>,
}

// === impl Exchange ===

impl<B> Exchange<B> {
    pub(crate) const fn new(
        answer: client::ResponseFuture,
        upload: Option<Upload<B>>,
        slot: Slot,
    ) -> Self {
        Self {
            answer,
            upload,
            slot: Some(slot),
        }
    }
}

impl<B> Drop for Exchange<B> {
    fn drop(&mut self) {
        // In a panic the lock of h2 may be a broken one, and a second panic ends the process.
        if let Some(slot) = &self.slot
            && !thread::panicking()
        {
            slot.give_up(self.answer.stream_id().as_u32());
        }
    }
}

impl<B: Unpin> Unpin for Exchange<B> {}

impl<B> Future for Exchange<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Output = Result<Answered<B>, Failed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(sent) = upload.poll(cx)
        {
            self.upload = None;
            sent.map_err(Failed::Request)?;
        }
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        let answer = answer.map_err(Failed::Stream)?;
        match self.slot.take() {
            Some(slot) => Poll::Ready(Ok((answer, self.upload.take(), slot))),
            // It was answered before.
            None => Poll::Pending,
        }
    }
}

// === impl Hold ===

impl Hold {
    /// Goes on with `upload` in a task of its own, if there is one: the answer may be read by nobody
    /// until more of the request has come.
    pub(crate) fn new<B>(slot: Slot, upload: Option<Upload<B>>, runtime: &Handle) -> Self
    where
        B: Body + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let Some(upload) = upload else {
            return Self::Alone(slot);
        };
        let slot = Arc::new(slot);
        let sending = Sending {
            upload: Some(upload),
            slot: Arc::clone(&slot),
        };
        // It ends with the stream, with the connection, or with the answer.
        let task = runtime.spawn(sending).abort_handle();
        Self::Shared(Rest {
            task: Some(task),
            slot,
        })
    }

    /// The answer came to its end. The server may still want the rest of the request, or resets the
    /// stream (RFC 9113, 8.1).
    pub(crate) fn let_go(&mut self) {
        if let Self::Shared(rest) = self {
            rest.task = None;
        }
    }

    /// The rest of the answer to this stream, which will be dropped, is wanted by nobody.
    pub(crate) fn give_up(&self, stream: u32) {
        match self {
            Self::Alone(slot) => slot.give_up(stream),
            Self::Shared(rest) => rest.slot.give_up(stream),
        }
    }
}

// === impl Rest ===

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

// === impl Sending ===

impl<B> Future for Sending<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(upload) = &mut self.upload {
            if let Err(error) = ready!(upload.poll(cx)) {
                tracing::debug!(%error, "the body of a request failed");
            }
            self.upload = None;
        }
        Poll::Ready(())
    }
}

impl<B> Drop for Sending<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    fn drop(&mut self) {
        // Else the server would wait for the rest for as long as somebody reads the answer.
        if let Some(upload) = &mut self.upload {
            upload.cancel();
            self.slot.give_up(upload.stream());
        }
    }
}
