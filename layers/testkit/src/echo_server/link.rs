//! One connection as the test holds it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

/// Says of one connection, or with all others of its server, how it ends.
#[derive(Debug)]
pub(super) struct Link {
    server_abrupt: Arc<AtomicBool>,
    abrupt: AtomicBool,
    cut: Notify,
}

/// A socket that is reset, not closed, when its link ends abruptly.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    link: Arc<Link>,
}

// === impl Link ===

impl Link {
    pub(super) fn new(server_abrupt: Arc<AtomicBool>) -> Self {
        Self {
            server_abrupt,
            abrupt: AtomicBool::new(false),
            cut: Notify::new(),
        }
    }

    /// Ends this connection alone, abruptly.
    pub(super) fn cut(&self) {
        self.abrupt.store(true, Relaxed);
        self.cut.notify_one();
    }

    pub(super) async fn until_cut(&self) {
        self.cut.notified().await;
    }

    fn is_abrupt(&self) -> bool {
        self.abrupt.load(Relaxed) || self.server_abrupt.load(Relaxed)
    }
}

// === impl Socket ===

impl Socket {
    pub(super) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        // Without it a test waits for Nagle's timer; a socket that is gone already fails later anyway.
        let _ = stream.set_nodelay(true);
        Self { stream, link }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.link.is_abrupt() {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
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
