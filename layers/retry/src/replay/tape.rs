//! What the attempts of one call share of its body.

use super::{crowd::Crowd, frames::Frames, room::Share};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};
use ziggurat_core::BoxError;

mod kept;

/// The inner body, and what was read of it.
pub(super) struct Tape<B> {
    inner: B,
    frames: Frames,
    trailers: Option<Box<HeaderMap>>,
    /// What may still be kept.
    room: usize,
    /// What is kept, among the bodies of all calls.
    share: Share,
    /// The others left no room.
    crowded: bool,
    reader: Reader,
    /// Those who read at the same time.
    beside: Vec<Reader>,
    /// Who is to hear of a frame, once there are several.
    crowd: Option<Arc<Crowd>>,
    /// The turn that began last; the first is 0.
    turn: u32,
    /// The inner body has nothing more.
    ended: bool,
    /// No attempt can follow: nothing more is kept.
    committed: bool,
}

/// How far one attempt is.
#[derive(Default)]
struct Reader {
    turn: u32,
    /// Where it stands among the frames.
    at: usize,
    /// It has sent the trailers.
    trailed: bool,
    waker: Option<Waker>,
}

// === impl Tape ===

impl<B: Body<Data = Bytes>> Tape<B> {
    #[inline(always)]
    pub(super) fn new(inner: B, limit: usize, share: Share) -> Self {
        Self {
            committed: !is_within(&inner, limit),
            inner,
            frames: Frames::default(),
            trailers: None,
            room: limit,
            share,
            crowded: false,
            reader: Reader::default(),
            beside: Vec::new(),
            crowd: None,
            turn: 0,
            ended: false,
        }
    }

    /// What follows for the attempt of this turn; `None`: another one has taken over.
    pub(super) fn poll_frame(
        &mut self,
        turn: u32,
        cx: &Context<'_>,
    ) -> Option<Poll<Option<Result<Frame<Bytes>, BoxError>>>>
    where
        B: Unpin,
        B::Error: Into<BoxError>,
    {
        let reader = self.place(turn)?;
        if let Some(frame) = self.replay(reader) {
            return Some(Poll::Ready(Some(Ok(frame))));
        }
        if self.ended {
            return Some(Poll::Ready(None));
        }
        Some(self.poll_inner(reader, cx))
    }

    pub(super) fn is_end_stream(&self, turn: u32) -> bool {
        self.reader(turn).is_some_and(|reader| {
            reader.at == self.frames.len()
                && self.untold_trailers(reader).is_none()
                && (self.ended || self.inner.is_end_stream())
        })
    }

    pub(super) fn size_hint(&self, turn: u32) -> SizeHint {
        let Some(reader) = self.reader(turn) else {
            return SizeHint::default();
        };
        let rest = if self.ended {
            SizeHint::with_exact(0)
        } else {
            self.inner.size_hint()
        };
        let kept = self.frames.bytes_from(reader.at);
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(kept));
        }
        hint.set_lower(rest.lower().saturating_add(kept));
        hint
    }

    fn poll_inner(
        &mut self,
        place: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Unpin,
        B::Error: Into<BoxError>,
    {
        // Listens first: the body may tell of a frame before this returns.
        let turn = self.reader_mut(place).turn;
        let polled = match &self.crowd {
            // The body tells the last one that asked; with several, that tells them all.
            Some(crowd) => {
                crowd.listen(turn, cx.waker());
                let waker = crowd.waker();
                Pin::new(&mut self.inner).poll_frame(&mut Context::from_waker(&waker))
            }
            None => Pin::new(&mut self.inner).poll_frame(&mut Context::from_waker(cx.waker())),
        };
        if polled.is_pending() && self.crowd.is_none() {
            self.listen(cx);
        }
        let frame = match ready!(polled) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.ended = true;
                // Nobody else may take what is missing for the end.
                self.choose_place(place);
                self.commit();
                return Poll::Ready(Some(Err(error.into())));
            }
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
        };
        if let Some(data) = frame.data_ref() {
            self.keep(place, data);
        } else if let Some(trailers) = frame.trailers_ref() {
            self.reader_mut(place).trailed = true;
            self.ended = true;
            if !self.committed && self.afford(place, kept::size(trailers)) {
                self.trailers = Some(Box::new(trailers.clone()));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl<B> Tape<B> {
    pub(super) const fn is_committed(&self) -> bool {
        self.committed
    }

    pub(super) const fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// The only attempt that can go on, if there is but one.
    pub(super) fn survivor(&self) -> Option<u32> {
        self.committed.then_some(self.reader.turn)
    }

    /// Whom to tell, outside of the lock, that there is something to read.
    pub(super) fn crowd(&self) -> Option<Arc<Crowd>> {
        self.crowd.clone()
    }

    /// Begins the next turn; also tells who still waits for a frame in the last one.
    pub(super) fn rewind(&mut self) -> Option<(u32, Option<Waker>)> {
        if self.committed {
            return None;
        }
        self.turn += 1;
        let reader = Reader::new(self.turn);
        let last = mem::replace(&mut self.reader, reader);
        Some((self.turn, last.waker))
    }

    /// Begins a turn beside the others.
    pub(super) fn join(&mut self) -> Option<u32> {
        if self.committed {
            return None;
        }
        self.turn += 1;
        let crowd = self.crowd.get_or_insert_default();
        if let Some(waker) = self.reader.waker.take() {
            crowd.listen(self.reader.turn, &waker);
        }
        self.beside.push(Reader::new(self.turn));
        Some(self.turn)
    }

    /// Only the attempt of this turn goes on.
    pub(super) fn choose(&mut self, turn: u32) {
        if let Some(place) = self.place(turn) {
            self.choose_place(place);
        }
    }

    /// How many bytes are held.
    #[cfg(test)]
    pub(super) fn kept(&self) -> u64 {
        self.frames.bytes_from(0)
    }

    /// Where the reader of this turn is: 0 is the present one, the others follow.
    fn place(&self, turn: u32) -> Option<usize> {
        if self.reader.turn == turn {
            return Some(0);
        }
        let beside = self.beside.iter().position(|reader| reader.turn == turn);
        beside.map(|place| place + 1)
    }

    fn reader(&self, turn: u32) -> Option<&Reader> {
        let mut readers = [&self.reader].into_iter().chain(&self.beside);
        readers.find(|reader| reader.turn == turn)
    }

    fn reader_mut(&mut self, place: usize) -> &mut Reader {
        match place.checked_sub(1) {
            Some(beside) if beside < self.beside.len() => &mut self.beside[beside],
            _ => &mut self.reader,
        }
    }

    fn choose_place(&mut self, place: usize) {
        self.reader = mem::take(self.reader_mut(place));
        self.beside.clear();
    }

    fn untold_trailers(&self, reader: &Reader) -> Option<&HeaderMap> {
        self.trailers.as_deref().filter(|_| !reader.trailed)
    }

    fn listen(&mut self, cx: &Context<'_>) {
        match &mut self.reader.waker {
            Some(reader) => reader.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
    }
}

// === impl Reader ===

impl Reader {
    fn new(turn: u32) -> Self {
        Self {
            turn,
            ..Self::default()
        }
    }
}

/// Could all of it be kept, as far as one can tell?
#[inline]
pub(crate) fn is_within<B: Body>(body: &B, limit: usize) -> bool {
    body.size_hint().lower() <= limit as u64
}
