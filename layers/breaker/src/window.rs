//! The results of the last while: a ring of buckets for each of a few seats.

use crate::bucket::{BUCKETS, Bucket, Epoch, Totals, fence};
use std::{array, sync::atomic::Ordering};
use ziggurat_core::seat::Apart;

/// How many threads can record without meeting one another.
pub(crate) const SEATS: usize = 8;

/// Counts the results of the last [`BUCKETS`] epochs.
///
/// Each thread has a seat with a ring of its own, because a contended write costs four times what
/// an uncontended one does; only who decides adds the seats up.
#[derive(Debug)]
pub(crate) struct Window([Apart<Rings>; SEATS]);

#[derive(Debug)]
struct Rings {
    // Each kind of its own: a call that is well touches one word.
    successes: [Bucket; BUCKETS],
    failures: [Bucket; BUCKETS],
    slow: [Bucket; BUCKETS],
}

// === impl Window ===

impl Window {
    pub(crate) fn new() -> Self {
        let ring = || array::from_fn(|_| Bucket::new());
        Self(array::from_fn(|_| {
            Apart(Rings {
                successes: ring(),
                failures: ring(),
                slow: ring(),
            })
        }))
    }

    pub(crate) fn succeeded(&self, seat: usize, epoch: Epoch) {
        self.of(seat).successes[epoch.slot()].add(epoch);
    }

    pub(crate) fn failed(&self, seat: usize, epoch: Epoch) {
        self.of(seat).failures[epoch.slot()].add(epoch);
    }

    /// A call that is counted besides was slow.
    pub(crate) fn slow(&self, seat: usize, epoch: Epoch) {
        self.of(seat).slow[epoch.slot()].add(epoch);
    }

    /// What the window that ends with `now` counted, the caller's own record included.
    pub(crate) fn totals(&self, now: Epoch) -> Totals {
        // Of two threads that record at once and then look, at least one sees both records.
        fence(Ordering::SeqCst);
        let mut totals = Totals::default();
        for Apart(seat) in &self.0 {
            let count = |ring: &[Bucket]| ring.iter().map(|bucket| bucket.count(now)).sum::<u64>();
            totals.successes += count(&seat.successes);
            totals.failures += count(&seat.failures);
            totals.slow += count(&seat.slow);
        }
        totals
    }

    #[inline(always)]
    fn of(&self, seat: usize) -> &Rings {
        let Apart(rings) = &self.0[seat % SEATS];
        rings
    }
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
