//! A stream that notes how much was read from it, and holds back what ends it while calls are handed
//! over.

use crate::{batch::Batch, door::Door, frames::Frames, gone::Gone, road::Stream};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(test)]
mod tests;

/// What the peer can have said is only looked for when it has said something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Tally>);

pub(crate) struct Hearing {
    stream: Stream,
    heard: Heard,
    frames: Frames,
    door: Arc<Door>,
    end: Option<End>,
    batch: Batch,
    /// Why nothing can be written any more.
    broken: Option<io::Error>,
}

/// What was read and ends the connection, and is held back.
struct End {
    /// A GOAWAY and all that came with it, or nothing; or an error.
    read: io::Result<Vec<u8>>,
    /// Calls that were handed over before are still to be sent.
    unsent: bool,
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
    /// Others call, too.
    shared: AtomicBool,
}

// === impl Heard ===

impl Heard {
    /// What was read since this was last asked. One task reads and asks.
    pub(crate) fn take(&self) -> Read {
        let Tally { all, data, .. } = &*self.0;
        Read {
            all: take(all),
            data: take(data),
        }
    }

    /// Whether several calls are on it, before it is polled.
    pub(crate) fn share(&self, shared: bool) {
        self.0.shared.store(shared, Relaxed);
    }

    pub(crate) fn on(&self, stream: Stream, door: Arc<Door>, gone: Arc<Gone>) -> Hearing {
        Hearing {
            stream,
            heard: self.clone(),
            frames: Frames::new(gone),
            door,
            end: None,
            batch: Batch::default(),
            broken: None,
        }
    }
}

// === impl Hearing ===

impl Hearing {
    /// Hands out what was held back, once nobody hands a call over and those that were are sent.
    #[cold]
    fn poll_end(
        &mut self,
        mut end: End,
        cx: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_shut = self.door.shut();
        if !is_shut || end.unsent {
            // h2 writes when there is nothing to read.
            end.unsent &= !is_shut;
            self.end = Some(end);
            return soon(cx);
        }
        // Only now: that the connection ends can be seen from here on.
        add(&self.heard.0.all, 1);
        let mut bytes = end.read?;
        let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
        buffer.put_slice(&bytes);
        self.end = (!rest.is_empty()).then_some(End {
            read: Ok(rest),
            unsent: false,
        });
        Poll::Ready(Ok(()))
    }

    /// Pending, to be asked again in a moment, when so many bytes should go out with others.
    fn poll_turn(&mut self, cx: &Context<'_>, bytes: usize) -> Poll<()> {
        // What ends the connection is shown to h2 as soon as it has written.
        if self.end.is_some() || !self.heard.0.shared.load(Relaxed) {
            self.batch.forget();
        } else if self.batch.put_off(bytes) {
            return soon(cx);
        }
        Poll::Ready(())
    }

    /// As what was written last, unless it has failed and somebody hands a call over.
    fn poll_written<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(Err(error)) if !self.door.shut() => {
                self.broken = Some(error);
                soon(cx)
            }
            written => written,
        }
    }

    /// Ready, with the error, when it broke before.
    fn poll_broken<T>(&mut self) -> Poll<io::Result<T>> {
        self.broken
            .take()
            .map_or(Poll::Pending, |error| Poll::Ready(Err(error)))
    }
}

impl AsyncRead for Hearing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = self.end.take() {
            return self.poll_end(end, cx, buffer);
        }
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let bytes = &mut buffer.filled_mut()[before..];
        let found = self.frames.follow(bytes);
        add(&self.heard.0.data, found.data);
        let is_over = read.is_err() || bytes.is_empty() && room > 0;
        // A PING comes behind the GOAWAY of whoever ends in peace, and what comes after its answer is
        // not looked at: what was handed over must be sent before.
        if found.goodbye || is_over && !self.door.shut() {
            let end = End {
                read: read.map(|()| bytes.to_vec()),
                unsent: found.goodbye,
            };
            buffer.set_filled(before);
            return self.poll_end(end, cx, buffer);
        }
        add(&self.heard.0.all, bytes.len().max(1));
        Poll::Ready(read)
    }
}

impl AsyncWrite for Hearing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx, buffer.len()));
        let written = match self.poll_broken() {
            Poll::Pending => Pin::new(&mut self.stream).poll_write(cx, buffer),
            broken => broken,
        };
        self.poll_written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = buffers.iter().map(|buffer| buffer.len()).sum();
        ready!(self.poll_turn(cx, bytes));
        let written = match self.poll_broken() {
            Poll::Pending => Pin::new(&mut self.stream).poll_write_vectored(cx, buffers),
            broken => broken,
        };
        self.poll_written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match self.poll_broken() {
            Poll::Pending => Pin::new(&mut self.stream).poll_flush(cx),
            broken => broken,
        };
        self.poll_written(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// To be asked again in a moment: nobody stays in the door.
fn soon<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
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
