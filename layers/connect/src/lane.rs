//! The share that one connection has of the streams of its endpoint.

use crate::{gone::Gone, slots::Slots};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// As many slots as the peer allows streams on one connection, which it may change at any time.
#[derive(Debug)]
pub(crate) struct Lane {
    slots: Arc<Slots>,
    /// The limit above [`LIMIT`]; below it twice the number of slots that are out, and one when no
    /// more are. In one word: how much room there is must not change while it is told.
    state: AtomicU64,
    /// Whether a slot was taken since somebody looked.
    touched: AtomicBool,
    gone: Arc<Gone>,
}

/// One open stream; dropped, which is after the stream is, it makes room for the next.
#[derive(Debug)]
pub(crate) struct Slot {
    lane: Arc<Lane>,
    /// The stream, if it was given up; 0: it was not.
    given_up: AtomicU32,
}

const CLOSED: u64 = 1;
const ONE: u64 = 2;
/// Where the limit begins, in bits.
const LIMIT: u32 = 32;
/// More streams than any connection carries, and few enough that the lanes of a group can be added.
const MOST: usize = 1 << 24;

// === impl Lane ===

impl Lane {
    /// Nobody waits for its slots yet.
    pub(crate) fn new(slots: Arc<Slots>, limit: usize, gone: Arc<Gone>) -> Arc<Self> {
        Arc::new(Self {
            slots,
            state: AtomicU64::new(limited(0, limit)),
            touched: AtomicBool::new(false),
            gone,
        })
    }

    /// Brings its slots to those who wait. Once, and before anybody can enter.
    pub(crate) fn bring(&self) {
        self.slots.give(room(self.state.load(Ordering::Acquire)));
    }

    /// Takes a slot for a permit, if this lane has one.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Slot> {
        let enter = |state: u64| (room(state) > 0).then(|| state + ONE);
        let entered = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter);
        entered.ok()?;
        // Read first: the line stays shared while calls come one after the other.
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
        Some(Slot {
            lane: Arc::clone(self),
            given_up: AtomicU32::new(0),
        })
    }

    /// The peer allows so many from now on.
    pub(crate) fn resize(&self, limit: usize) {
        let anew = |state: u64| (limited(state, limit) != state).then(|| limited(state, limit));
        let changed = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, anew);
        if let Ok(before) = changed {
            self.balance(room(before), room(limited(before, limit)));
        }
    }

    /// Takes nobody any more, and what it brought away.
    pub(crate) fn retire(&self) {
        let before = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        self.balance(room(before), 0);
    }

    /// Takes nobody any more, unless somebody is there.
    pub(crate) fn close_if_unused(&self) -> bool {
        let close = |state: u64| (out(state) == 0 && state & CLOSED == 0).then_some(state | CLOSED);
        let closed = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, close);
        closed.is_ok()
    }

    /// Does the peer allow no stream at all?
    pub(crate) fn is_barred(&self) -> bool {
        self.state.load(Ordering::Acquire) >> LIMIT == 0
    }

    /// Is any stream open?
    pub(crate) fn in_use(&self) -> bool {
        out(self.state.load(Ordering::Acquire)) > 0
    }

    /// Is more than one?
    pub(crate) fn is_shared(&self) -> bool {
        out(self.state.load(Ordering::Acquire)) > 1
    }

    /// Was no stream open since this was last asked?
    pub(crate) fn was_quiet(&self) -> bool {
        !self.touched.swap(false, Ordering::Relaxed) && !self.in_use()
    }

    fn balance(&self, before: usize, after: usize) {
        if after > before {
            self.slots.give(after - before);
        } else {
            self.slots.withdraw(before - after);
        }
    }
}

// === impl Slot ===

impl Slot {
    /// Its stream, of this number, will be dropped before it is over.
    pub(crate) fn give_up(&self, stream: u32) {
        self.given_up.store(stream, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Self { lane, given_up } = self;
        let given_up = *given_up.get_mut();
        if given_up != 0 {
            lane.gone.note(given_up);
        }
        let before = lane.state.fetch_sub(ONE, Ordering::AcqRel);
        // Not for one that was above a limit that was lowered since: it leaves no room.
        if room(before - ONE) > room(before) {
            lane.slots.give(1);
        }
    }
}

const fn out(state: u64) -> u64 {
    (state & (u32::MAX as u64)) / ONE
}

/// How many may enter. None where more are out than may be: what one lane has too many must not
/// keep anybody from another.
const fn room(state: u64) -> usize {
    if state & CLOSED == 0 {
        (state >> LIMIT).saturating_sub(out(state)) as usize
    } else {
        0
    }
}

/// As `state`, with another limit.
const fn limited(state: u64, limit: usize) -> u64 {
    let limit = if limit < MOST { limit } else { MOST };
    (state & (u32::MAX as u64)) | ((limit as u64) << LIMIT)
}

#[cfg(test)]
mod tests;
