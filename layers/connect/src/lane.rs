//! The share that one connection has of the streams of its endpoint.

use crate::slots::Slots;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// As many slots as the peer allows streams on one connection, which it may change at any time.
#[derive(Debug)]
pub(crate) struct Lane {
    slots: Arc<Slots>,
    /// Twice the number of slots that are out, and one when no more are.
    state: AtomicUsize,
    limit: AtomicUsize,
    /// Whether a slot was taken since somebody looked.
    touched: AtomicBool,
    /// Held by who changes how much the lane brings.
    share: Mutex<()>,
}

/// One open stream; dropped, it makes room for the next.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Lane>);

const CLOSED: usize = 1;
const ONE: usize = 2;
/// More streams than any connection carries, and few enough that the lanes of a group can be added.
const MOST: usize = 1 << 24;

// === impl Lane ===

impl Lane {
    pub(crate) fn new(slots: Arc<Slots>, limit: usize) -> Arc<Self> {
        let limit = limit.min(MOST);
        slots.give(limit);
        Arc::new(Self {
            slots,
            state: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            touched: AtomicBool::new(false),
            share: Mutex::new(()),
        })
    }

    /// Takes a slot for a permit, if this lane has one.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Slot> {
        let limit = self.limit.load(Ordering::Relaxed);
        let room = |state: usize| (state & CLOSED == 0 && state / ONE < limit).then(|| state + ONE);
        let entered = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, room);
        entered.ok()?;
        // Read first: the line stays shared while calls come one after the other.
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
        Some(Slot(Arc::clone(self)))
    }

    /// The peer allows so many from now on.
    pub(crate) fn resize(&self, limit: usize) {
        let limit = limit.min(MOST);
        if limit == self.limit.load(Ordering::Relaxed) {
            return;
        }
        let _share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state.load(Ordering::Relaxed) & CLOSED != 0 {
            return;
        }
        let before = self.limit.swap(limit, Ordering::Relaxed);
        self.balance(before, limit);
    }

    /// Takes nobody any more, and what it brought away.
    pub(crate) fn retire(&self) {
        let _share = self.share.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if state & CLOSED == 0 {
            // The slots that are out go with it.
            self.balance(self.limit.load(Ordering::Relaxed), state / ONE);
        }
    }

    /// Takes nobody any more, unless somebody is there.
    pub(crate) fn close_if_unused(&self) -> bool {
        let order = Ordering::AcqRel;
        let closed = self
            .state
            .compare_exchange(0, CLOSED, order, Ordering::Relaxed);
        closed.is_ok()
    }

    /// Is any stream open?
    pub(crate) fn in_use(&self) -> bool {
        self.state.load(Ordering::Acquire) / ONE > 0
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

impl Drop for Slot {
    fn drop(&mut self) {
        let Self(lane) = self;
        let before = lane.state.fetch_sub(ONE, Ordering::AcqRel);
        if before & CLOSED == 0 {
            lane.slots.give(1);
        }
    }
}

#[cfg(test)]
mod tests;
