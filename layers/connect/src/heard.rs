//! A stream that notes how much was read from it.

use crate::road::Stream;
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
pub(crate) struct Heard(Arc<AtomicUsize>);

pub(crate) struct Hearing {
    stream: Stream,
    heard: Heard,
}

// === impl Heard ===

impl Heard {
    /// How many bytes were read since this was last asked; its end counts as one. One task reads
    /// and asks.
    pub(crate) fn take(&self) -> usize {
        let read = self.0.load(Relaxed);
        if read > 0 {
            self.0.store(0, Relaxed);
        }
        read
    }

    fn add(&self, read: usize) {
        self.0.store(self.0.load(Relaxed) + read, Relaxed);
    }

    pub(crate) fn on(&self, stream: Stream) -> Hearing {
        let heard = self.clone();
        Hearing { stream, heard }
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
        self.heard.add((buffer.filled().len() - before).max(1));
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
