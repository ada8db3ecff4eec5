//! The results of the last while: a ring of buckets for each of a few seats.

use crate::bucket::{BUCKETS, Bucket, Epoch, Totals, fence};
use std::{
    array,
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How many threads can record without meeting one another.
pub(crate) const SEATS: usize = 8;

/// Counts the results of the last [`BUCKETS`] epochs.
///
/// Each thread has a seat with a ring of its own, because a contended write costs four times what
/// an uncontended one does; only who decides adds the seats up.
#[derive(Debug)]
pub(crate) struct Window([Seat; SEATS]);

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Seat {
    results: [Bucket; BUCKETS],
    /// How many calls were slow, in the place of failures: a word that a call that is not slow does
    /// not touch.
    slow: [Bucket; BUCKETS],
}

// === impl Window ===

impl Window {
    pub(crate) fn new() -> Self {
        let ring = || array::from_fn(|_| Bucket::new());
        Self(array::from_fn(|_| Seat {
            results: ring(),
            slow: ring(),
        }))
    }

    pub(crate) fn succeeded(&self, seat: usize, epoch: Epoch) {
        self.0[seat % SEATS].results[epoch.slot()].succeeded(epoch);
    }

    pub(crate) fn failed(&self, seat: usize, epoch: Epoch) {
        self.0[seat % SEATS].results[epoch.slot()].failed(epoch);
    }

    /// A call that is counted besides was slow.
    pub(crate) fn slow(&self, seat: usize, epoch: Epoch) {
        self.0[seat % SEATS].slow[epoch.slot()].failed(epoch);
    }

    /// What the window that ends with `now` counted, the caller's own record included.
    pub(crate) fn totals(&self, now: Epoch) -> Totals {
        // Of two threads that record at once and then look, at least one sees both records.
        fence(Ordering::SeqCst);
        let mut totals = Totals::default();
        for seat in &self.0 {
            for bucket in &seat.results {
                totals += bucket.totals(now);
            }
            for bucket in &seat.slow {
                totals.slow += bucket.totals(now).failures;
            }
        }
        totals
    }
}

/// The seat of this thread.
#[inline]
pub(crate) fn seat() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SEAT: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    SEAT.with(|seat| {
        if seat.get() == usize::MAX {
            seat.set(NEXT.fetch_add(1, Ordering::Relaxed) % SEATS);
        }
        seat.get()
    })
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_add_up_and_old_epochs_drop_out() {
        let window = Window::new();
        for epoch in 0..40 {
            window.succeeded(epoch as usize, Epoch::new(epoch));
            window.failed(3, Epoch::new(epoch));
            window.slow(5, Epoch::new(epoch));
        }
        let totals = window.totals(Epoch::new(39));
        assert_eq!(
            (totals.successes, totals.failures, totals.slow),
            (16, 16, 16)
        );
        assert_eq!(window.totals(Epoch::new(54)).calls(), 2);
        assert_eq!(window.totals(Epoch::new(55)).calls(), 0);
    }
}
