//! A stream that notes how much was read from it.

use crate::{frames::Frames, road::Stream};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the peer can have said is only looked for when it has said something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Tally>);

pub(crate) struct Hearing {
    stream: Stream,
    heard: Heard,
    frames: Frames,
}

/// What was read, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    /// All of it; its end counts as one.
    pub(crate) all: usize,
    /// What was sent in answers.
    pub(crate) data: usize,
}

#[derive(Debug, Default)]
struct Tally {
    all: AtomicUsize,
    data: AtomicUsize,
}

// === impl Heard ===

impl Heard {
    /// What was read since this was last asked. One task reads and asks.
    pub(crate) fn take(&self) -> Read {
        let Tally { all, data } = &*self.0;
        Read {
            all: take(all),
            data: take(data),
        }
    }

    pub(crate) fn on(&self, stream: Stream) -> Hearing {
        Hearing {
            stream,
            heard: self.clone(),
            frames: Frames::default(),
        }
    }
}

// === impl Hearing ===

impl AsyncRead for Hearing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let bytes = &mut buffer.filled_mut()[before..];
        let Self { heard, frames, .. } = &mut *self;
        let Tally { all, data } = &*heard.0;
        add(all, bytes.len().max(1));
        add(data, frames.data(bytes));
        Poll::Ready(read)
    }
}

impl AsyncWrite for Hearing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn take(count: &AtomicUsize) -> usize {
    let read = count.load(Relaxed);
    if read > 0 {
        count.store(0, Relaxed);
    }
    read
}

fn add(count: &AtomicUsize, read: usize) {
    count.store(count.load(Relaxed) + read, Relaxed);
}
