//! What one thread has in hand of a limit: a piece of the time that the limit has to give.

use super::sync::{AtomicBool, AtomicU64, Ordering, spin};
use crate::{
    Rate,
    gcra::{TICKS, furthest},
};

/// A piece of virtual time, in ticks, that was taken of a TAT and not used yet.
///
/// A call at `now` may use what lies between `now` and as far as the rate lets anybody be ahead:
/// those are the slots that the algorithm would give it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What calls at one moment may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) now: u64,
    pub(super) furthest: u64,
}

/// A piece that one at a time may change, alone on its line of cache and on the one that is fetched
/// with it.
#[repr(align(128))]
#[derive(Debug)]
pub(super) struct Stripe {
    held: AtomicBool,
    // Written by who holds it; others read them for a guess.
    from: AtomicU64,
    to: AtomicU64,
}

/// A stripe that nobody else changes now.
pub(super) struct Held<'a>(&'a Stripe);

/// All stripes, which nobody else changes now.
pub(super) struct All<'a>(&'a [Stripe]);

/// Whoever holds one does so for a few nanoseconds, or was put aside by the machine.
const SPINS: usize = if cfg!(ziggurat_loom) { 1 } else { 200 };

// === impl Piece ===

impl Piece {
    pub(super) fn usable(self, span: Span) -> u64 {
        let to = self.to.min(span.furthest);
        to.saturating_sub(self.from.max(span.now))
    }

    /// Takes up to so much, the earliest first, as it is gone first.
    #[must_use]
    pub(super) fn take(&mut self, most: u64, span: Span) -> u64 {
        let took = self.usable(span).min(most);
        self.from = self.from.max(span.now).saturating_add(took);
        took
    }
}

// === impl Span ===

impl Span {
    pub(super) const fn new(rate: Rate, now: u64) -> Self {
        Self {
            now: now.saturating_mul(TICKS),
            furthest: furthest(rate, now),
        }
    }
}

// === impl Stripe ===

impl Stripe {
    pub(super) fn new() -> Self {
        Self {
            held: AtomicBool::new(false),
            from: AtomicU64::new(0),
            to: AtomicU64::new(0),
        }
    }

    /// What it is, or was, or half of each, when somebody changes it.
    pub(super) fn guess(&self) -> Piece {
        Piece {
            from: self.from.load(Ordering::Relaxed),
            to: self.to.load(Ordering::Relaxed),
        }
    }

    /// Never waits: there are other stripes.
    pub(super) fn try_hold(&self) -> Option<Held<'_>> {
        // Not `then_some`: made and dropped, it would unlock what another holds.
        self.lock().then(|| Held(self))
    }

    fn lock(&self) -> bool {
        // Acquire pairs with the Release in `unlock`: what it sees is what the last one left.
        let free = self
            .held
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        free.is_ok()
    }

    fn unlock(&self) {
        self.held.store(false, Ordering::Release);
    }

    fn set(&self, piece: Piece) {
        self.from.store(piece.from, Ordering::Relaxed);
        self.to.store(piece.to, Ordering::Relaxed);
    }
}

// === impl Held ===

impl Held<'_> {
    pub(super) fn piece(&self) -> Piece {
        self.0.guess()
    }

    pub(super) fn set(&self, piece: Piece) {
        self.0.set(piece);
    }

    /// Takes all of it, or nothing.
    pub(super) fn take(&self, need: u64, span: Span) -> bool {
        let mut piece = self.piece();
        if piece.usable(span) < need {
            return false;
        }
        let took = piece.take(need, span);
        self.0.from.store(piece.from, Ordering::Relaxed);
        took == need
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

// === impl All ===

impl<'a> All<'a> {
    /// Gives up on one that is held for long: nobody waits for a thread that does not run.
    pub(super) fn try_hold(stripes: &'a [Stripe]) -> Option<Self> {
        for (at, stripe) in stripes.iter().enumerate() {
            let held = (0..SPINS).any(|_| stripe.lock() || spin());
            if !held {
                drop(Self(&stripes[..at]));
                return None;
            }
        }
        Some(Self(stripes))
    }

    /// How much of them calls at this moment may use.
    pub(super) fn usable(&self, span: Span) -> u64 {
        usable(self.0, span)
    }

    /// Takes what [`usable`](Self::usable) told, or less.
    pub(super) fn take(&self, need: u64, span: Span) {
        let mut left = need;
        for stripe in self.0 {
            let mut piece = stripe.guess();
            left -= piece.take(left, span);
            stripe.set(piece);
        }
    }

    /// Could any slot from `now` on have been given by way of them?
    pub(super) fn reach(&self, now: u64) -> bool {
        self.0.iter().any(|stripe| stripe.guess().to > now)
    }

    pub(super) fn void(&self) {
        self.0
            .iter()
            .for_each(|stripe| stripe.set(Piece::default()));
    }
}

impl Drop for All<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(Stripe::unlock);
    }
}

/// How much of all these calls at this moment may use, by what one sees of them.
pub(super) fn usable(stripes: &[Stripe], span: Span) -> u64 {
    let usable = |stripe: &Stripe| stripe.guess().usable(span);
    stripes.iter().map(usable).fold(0, u64::saturating_add)
}
