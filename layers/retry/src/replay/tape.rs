//! What the attempts of one call share of its body.

use super::room::Share;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use ziggurat_core::BoxError;

/// The inner body, and what was read of it.
pub(super) struct Tape<B> {
    inner: B,
    frames: Frames,
    trailers: Option<HeaderMap>,
    /// What may still be kept.
    room: usize,
    /// What is kept, among the bodies of all calls.
    share: Share,
    /// The others left no room.
    crowded: bool,
    /// Where the present attempt stands among the frames.
    at: usize,
    /// The present attempt has sent the trailers.
    trailed: bool,
    /// The inner body has nothing more.
    ended: bool,
    /// No attempt can follow: nothing more is kept.
    committed: bool,
    /// The attempt that reads; the first is 0.
    turn: u32,
    reader: Option<Waker>,
}

/// A list whose first element costs no allocation: a unary call has one frame.
#[derive(Default)]
struct Frames {
    first: Option<Bytes>,
    rest: Vec<Bytes>,
}

/// What a kept frame takes at least: its handle is not free either.
const LEAST: usize = 64;

// === impl Tape ===

impl<B: Body<Data = Bytes>> Tape<B> {
    pub(super) fn new(inner: B, limit: usize, share: Share) -> Self {
        Self {
            committed: inner.size_hint().lower() > limit as u64,
            inner,
            frames: Frames::default(),
            trailers: None,
            room: limit,
            share,
            crowded: false,
            at: 0,
            trailed: false,
            ended: false,
            turn: 0,
            reader: None,
        }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Unpin,
        B::Error: Into<BoxError>,
    {
        if let Some(frame) = self.replay() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if polled.is_pending() {
            self.listen(cx);
        }
        let frame = match ready!(polled) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.ended = true;
                self.commit();
                return Poll::Ready(Some(Err(error.into())));
            }
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
        };
        if let Some(data) = frame.data_ref() {
            self.keep(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailed = true;
            self.ended = true;
            if !self.committed && self.afford(size(trailers)) {
                self.trailers = Some(trailers.clone());
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.at == self.frames.len()
            && self.untold_trailers().is_none()
            && (self.ended || self.inner.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let rest = if self.ended {
            SizeHint::with_exact(0)
        } else {
            self.inner.size_hint()
        };
        let kept = self.frames.bytes_from(self.at);
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(kept));
        }
        hint.set_lower(rest.lower().saturating_add(kept));
        hint
    }
}

impl<B> Tape<B> {
    pub(super) const fn turn(&self) -> u32 {
        self.turn
    }

    pub(super) const fn is_committed(&self) -> bool {
        self.committed
    }

    pub(super) const fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Begins the next turn; also tells who still waits for a frame in the last one.
    pub(super) fn rewind(&mut self) -> Option<(u32, Option<Waker>)> {
        if self.committed {
            return None;
        }
        self.turn += 1;
        self.at = 0;
        self.trailed = false;
        Some((self.turn, self.reader.take()))
    }

    /// No attempt follows: lets go of what the present one has sent.
    pub(super) fn commit(&mut self) {
        self.committed = true;
        for index in 0..self.at {
            self.frames.take(index);
        }
        self.let_go();
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(super) fn kept(&self) -> u64 {
        self.frames.bytes_from(0)
    }

    fn replay(&mut self) -> Option<Frame<Bytes>> {
        if self.at < self.frames.len() {
            let data = if self.committed {
                self.frames.take(self.at)
            } else {
                self.frames.get(self.at)
            };
            self.at += 1;
            self.let_go();
            return Some(Frame::data(data));
        }
        let trailers = self.untold_trailers().cloned()?;
        self.trailed = true;
        self.let_go();
        Some(Frame::trailers(trailers))
    }

    fn keep(&mut self, data: &Bytes) {
        if self.committed || data.is_empty() {
            return;
        }
        if self.afford(data.len()) {
            self.frames.push(data.clone());
            self.at += 1;
        }
    }

    /// Is there room for so many bytes more? If not, nothing is kept any longer.
    fn afford(&mut self, bytes: usize) -> bool {
        let bytes = bytes.max(LEAST);
        let Some(room) = self.room.checked_sub(bytes) else {
            self.forget();
            return false;
        };
        if !self.share.take(bytes) {
            self.crowded = true;
            self.forget();
            return false;
        }
        self.room = room;
        true
    }

    /// There is too much of it: all of it was sent, so nothing need be kept.
    fn forget(&mut self) {
        self.committed = true;
        self.frames = Frames::default();
        self.at = 0;
        self.share.give();
    }

    /// Makes room for others once nothing is held any more.
    fn let_go(&mut self) {
        let told = self.untold_trailers().is_none();
        if self.committed && told && self.at == self.frames.len() {
            self.trailers = None;
            self.share.give();
        }
    }

    fn untold_trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref().filter(|_| !self.trailed)
    }

    fn listen(&mut self, cx: &Context<'_>) {
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => self.reader = Some(cx.waker().clone()),
        }
    }
}

// === impl Frames ===

impl Frames {
    fn push(&mut self, data: Bytes) {
        if self.first.is_none() {
            self.first = Some(data);
        } else {
            self.rest.push(data);
        }
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    fn get(&self, index: usize) -> Bytes {
        self.iter().nth(index).cloned().unwrap_or_default()
    }

    /// Leaves an empty frame in its place.
    fn take(&mut self, index: usize) -> Bytes {
        let frame = match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.get_mut(index),
        };
        frame.map(mem::take).unwrap_or_default()
    }

    fn bytes_from(&self, index: usize) -> u64 {
        self.iter().skip(index).map(|data| data.len() as u64).sum()
    }

    fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.rest)
    }
}

/// How many bytes the headers have, names and values.
fn size(headers: &HeaderMap) -> usize {
    let lengths = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    lengths.sum()
}
