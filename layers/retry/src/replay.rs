//! A request body that several attempts read, one after another or at the same time.
//!
//! ```text
//!                     sent, up to the limit        not yet sent
//!   attempt 1   ====================|~~~~~~~~~~~~~~~~~~~~~~~~~~~~  one inner body
//!               (stops with an error once attempt 2 begins)
//!   attempt 2   ====================|~~~~~~~~~~~~~~~~~~~~~~~~~~~~
//!               replayed             goes on where attempt 1 stopped
//! ```
//!
//! Hedges read beside one another: whoever is ahead takes frames from the inner body, the others
//! replay them.

mod crowd;
mod frames;
mod room;
mod tape;

use self::{room::Share, tape::Tape};
use crate::Superseded;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use ziggurat_core::BoxError;

pub use self::room::ReplayRoom;
pub(crate) use self::room::Rooms;
pub(crate) use self::tape::is_within;

/// The body of one attempt: it replays what earlier attempts have sent, and goes on from there.
///
/// When a later attempt takes over, or another one has won, one that still reads gets the error
/// [`Superseded`].
pub struct ReplayBody<B> {
    /// `None`: it is empty.
    tape: Option<Arc<Reel<B>>>,
    turn: u32,
    /// Nothing follows what was read.
    ended: bool,
}

/// What a call keeps of its body. Dropped, nothing more is kept.
pub(crate) struct Replay<B> {
    tape: Option<Arc<Reel<B>>>,
    turn: u32,
}

/// What the attempts of one call share of its body.
type Reel<B> = Mutex<Tape<B>>;

// === impl ReplayBody ===

/// An empty body.
impl<B> Default for ReplayBody<B> {
    fn default() -> Self {
        Self {
            tape: None,
            turn: 0,
            ended: true,
        }
    }
}

/// For a call that is made below the retry: it is sent once, and nothing of it is kept.
impl<B: Body<Data = Bytes>> From<B> for ReplayBody<B> {
    fn from(body: B) -> Self {
        Replay::new(body, 0, Share::none()).body()
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Some(reel) = &this.tape else {
            return Poll::Ready(None);
        };
        let mut tape = lock(reel);
        let Some(polled) = tape.poll_frame(this.turn, cx) else {
            return Poll::Ready(Some(Err(Superseded.into())));
        };
        this.ended = polled.is_ready() && tape.is_end_stream(this.turn);
        if polled.is_ready()
            && let Some(crowd) = tape.crowd()
        {
            // Outside the lock: a waker may poll at once.
            drop(tape);
            crowd.tell_others(this.turn);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        match &self.tape {
            Some(reel) => lock(reel).size_hint(self.turn),
            None => SizeHint::with_exact(0),
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

// === impl Replay ===

impl<B: Body<Data = Bytes>> Replay<B> {
    /// Keeps up to `limit` bytes of `inner`, within its share of the room.
    pub(crate) fn new(inner: B, limit: usize, share: Share) -> Self {
        if inner.is_end_stream() {
            return Self::empty();
        }
        Self::filled(inner, limit, share)
    }

    /// The same of a body that is not empty.
    #[inline(always)]
    pub(crate) fn filled(inner: B, limit: usize, share: Share) -> Self {
        let reel = Mutex::new(Tape::new(inner, limit, share));
        let tape = Some(Arc::new(reel));
        Self { tape, turn: 0 }
    }

    /// The body of the present attempt; one for each.
    #[inline]
    pub(crate) fn body(&self) -> ReplayBody<B> {
        let Some(reel) = &self.tape else {
            return ReplayBody::default();
        };
        ReplayBody {
            tape: Some(Arc::clone(reel)),
            turn: self.turn,
            // The first attempt's is not empty, or it would not be kept.
            ended: self.turn > 0 && lock(reel).is_end_stream(self.turn),
        }
    }
}

impl<B> Replay<B> {
    /// There is nothing to keep.
    pub(crate) const fn empty() -> Self {
        Self {
            tape: None,
            turn: 0,
        }
    }

    /// Could a later attempt send all that earlier ones have sent?
    pub(crate) fn is_repeatable(&self) -> bool {
        self.tape
            .as_ref()
            .is_none_or(|reel| !lock(reel).is_committed())
    }

    /// Is it the others' bodies that leave no room for this one?
    pub(crate) fn is_crowded(&self) -> bool {
        self.tape
            .as_ref()
            .is_some_and(|reel| lock(reel).is_crowded())
    }

    /// Takes the body from the present attempt for the next one, if that could send all of it.
    pub(crate) fn rewind(&mut self) -> bool {
        let Some(reel) = &self.tape else {
            return true;
        };
        let Some((turn, reader)) = lock(reel).rewind() else {
            return false;
        };
        self.turn = turn;
        // Outside the lock: a waker may poll at once.
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }
}

impl<B> Replay<B> {
    /// Lets the next attempt read beside those before it; its turn, if it could send all of it.
    pub(crate) fn join(&mut self) -> Option<u32> {
        let Some(reel) = &self.tape else {
            return Some(0);
        };
        self.turn = lock(reel).join()?;
        Some(self.turn)
    }

    /// Only the attempt of this turn goes on.
    pub(crate) fn choose(&self, turn: u32) {
        if let Some(reel) = &self.tape {
            let mut tape = lock(reel);
            tape.choose(turn);
            let crowd = tape.crowd();
            drop(tape);
            if let Some(crowd) = crowd {
                crowd.tell_others(turn);
            }
        }
    }

    /// The turn of the only attempt that can go on, if it is but one.
    pub(crate) fn survivor(&self) -> Option<u32> {
        lock(self.tape.as_ref()?).survivor()
    }

    /// No attempt follows: nothing more is kept.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if let Some(reel) = self.tape.take() {
            Self::let_go(reel);
        }
    }

    #[inline(never)]
    fn let_go(reel: Arc<Reel<B>>) {
        // Nobody reads it any more: it is let go of as a whole.
        if Arc::strong_count(&reel) == 1 {
            return;
        }
        let mut tape = lock(&reel);
        tape.commit();
        let crowd = tape.crowd();
        // Outside the lock: a waker may poll at once.
        drop(tape);
        if let Some(crowd) = crowd {
            crowd.waker().wake();
        }
    }
}

impl<B> Drop for Replay<B> {
    #[inline]
    fn drop(&mut self) {
        self.commit();
    }
}

#[inline]
fn lock<B>(reel: &Reel<B>) -> MutexGuard<'_, Tape<B>> {
    reel.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
