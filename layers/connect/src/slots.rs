//! The streams that one connection may have open, handed out in order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{Semaphore, TryAcquireError};

/// As many slots as the peer allows streams, which it may change at any time.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Semaphore,
    limit: AtomicUsize,
    /// Slots that are out although the peer has lowered its limit: they are not free when they
    /// come back.
    owed: AtomicUsize,
    waiting: AtomicUsize,
    max_waiting: usize,
}

/// One open stream; dropped, it makes room for the next.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

/// Why there is no slot to be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// The connection takes no new calls.
    Closed,
    /// Too many wait already.
    Crowded,
}

/// Takes one waiter off the count, also when it is dropped while it waits.
struct Waiting<'s>(&'s Slots);

// === impl Slots ===

impl Slots {
    pub(crate) fn new(limit: usize, max_waiting: usize) -> Arc<Self> {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            free: Semaphore::new(limit),
            limit: AtomicUsize::new(limit),
            owed: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            max_waiting,
        })
    }

    /// Takes a slot, after all who asked before.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Slot, NoSlot> {
        // It cannot overtake: what comes free goes to those who wait.
        match self.free.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::Closed) => return Err(NoSlot::Closed),
            Err(TryAcquireError::NoPermits) => {
                let _waiting = self.wait().ok_or(NoSlot::Crowded)?;
                let permit = self.free.acquire().await;
                permit.map_err(|_| NoSlot::Closed)?.forget();
            }
        }
        Ok(Slot(Arc::clone(self)))
    }

    /// The peer allows so many from now on. Only one may say so at a time.
    pub(crate) fn resize(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let before = self.limit.load(Ordering::Relaxed);
        if limit == before {
            return;
        }
        self.limit.store(limit, Ordering::Relaxed);
        if limit > before {
            let more = limit - before;
            let forgiven = self.forgive(more);
            self.free.add_permits(more - forgiven);
        } else {
            let fewer = before - limit;
            let taken = self.free.forget_permits(fewer);
            self.owed.fetch_add(fewer - taken, Ordering::Relaxed);
        }
    }

    /// Sends everybody away who waits, and who comes.
    pub(crate) fn close(&self) {
        self.free.close();
    }

    /// Is any stream open?
    pub(crate) fn in_use(&self) -> bool {
        self.free.available_permits() < self.limit.load(Ordering::Relaxed)
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let waiting = Waiting(self);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        (before < self.max_waiting).then_some(waiting)
    }

    /// Takes up to `most` off what is owed; answers how much.
    fn forgive(&self, most: usize) -> usize {
        let less = |owed: usize| (owed > 0).then(|| owed - owed.min(most));
        let update = self
            .owed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        update.map_or(0, |owed| owed.min(most))
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        if self.0.forgive(1) == 0 {
            self.0.free.add_permits(1);
        }
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::{assert_pending, assert_ready, task};

    #[test]
    fn slots_are_given_in_the_order_they_were_asked_for() {
        let slots = Slots::new(1, 8);
        let first = assert_ready!(task::spawn(slots.take()).poll()).unwrap();
        let mut second = task::spawn(slots.take());
        let mut third = task::spawn(slots.take());
        assert_pending!(second.poll());
        assert_pending!(third.poll());
        drop(first);
        assert_pending!(third.poll());
        assert_pending!(task::spawn(slots.take()).poll());
        let second = assert_ready!(second.poll()).unwrap();
        drop(second);
        assert!(assert_ready!(third.poll()).is_ok());
    }

    #[test]
    fn a_dropped_waiter_gives_its_place_back() {
        let slots = Slots::new(1, 1);
        let held = assert_ready!(task::spawn(slots.take()).poll()).unwrap();
        let mut waits = task::spawn(slots.take());
        assert_pending!(waits.poll());
        let refused = assert_ready!(task::spawn(slots.take()).poll());
        assert_eq!(refused.unwrap_err(), NoSlot::Crowded);
        drop(waits);
        let mut waits = task::spawn(slots.take());
        assert_pending!(waits.poll());
        drop(held);
        assert!(assert_ready!(waits.poll()).is_ok());
    }

    #[test]
    fn a_lowered_limit_holds_as_soon_as_enough_came_back() {
        let slots = Slots::new(3, 8);
        let mut held: Vec<_> = (0..2)
            .map(|_| assert_ready!(task::spawn(slots.take()).poll()).unwrap())
            .collect();
        slots.resize(1);
        let mut waits = task::spawn(slots.take());
        assert_pending!(waits.poll());
        held.pop();
        assert_pending!(waits.poll());
        held.pop();
        let one = assert_ready!(waits.poll()).unwrap();
        slots.resize(0);
        slots.resize(2);
        let two = assert_ready!(task::spawn(slots.take()).poll()).unwrap();
        assert_pending!(task::spawn(slots.take()).poll());
        drop((one, two));
        assert_eq!(slots.free.available_permits(), 2);
    }

    #[test]
    fn closing_sends_everybody_away() {
        let slots = Slots::new(0, 8);
        let mut waits = task::spawn(slots.take());
        assert_pending!(waits.poll());
        slots.close();
        assert_eq!(assert_ready!(waits.poll()).unwrap_err(), NoSlot::Closed);
        let late = assert_ready!(task::spawn(slots.take()).poll());
        assert_eq!(late.unwrap_err(), NoSlot::Closed);
    }

    #[test]
    fn a_peer_without_a_limit_has_room_for_all() {
        let slots = Slots::new(usize::MAX, 0);
        slots.resize(usize::MAX);
        let _held: Vec<_> = (0..1_000)
            .map(|_| assert_ready!(task::spawn(slots.take()).poll()).unwrap())
            .collect();
    }
}
