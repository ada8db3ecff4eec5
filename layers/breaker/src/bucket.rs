//! One slice of the window in one atomic word, so that a result is recorded by one write.

use self::sync::{AtomicU64, Ordering};

pub(crate) use self::sync::fence;

/// How many buckets the window has; the oldest is dropped when a new one begins.
pub(crate) const BUCKETS: usize = if cfg!(ziggurat_loom) { 2 } else { 16 };

/// Successes and failures of one epoch; the first record of a later one starts it over.
#[derive(Debug)]
pub(crate) struct Bucket(AtomicU64);

/// How many failures there were since the last success, or since an idle window.
#[derive(Debug)]
pub(crate) struct Run(AtomicU64);

/// The number of a slice of time; it wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// What a window counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    /// How many of either were slow.
    pub(crate) slow: u64,
}

// The epoch stands in the upper 26 bits. It wraps after 485 days of the default window, and even
// then what is older is told from what is newer.
const EPOCH_SHIFT: u32 = 38;
const EPOCH_MASK: u64 = (1 << (64 - EPOCH_SHIFT)) - 1;
const COUNTS_MASK: u64 = (1 << EPOCH_SHIFT) - 1;
const SUCCESS_SHIFT: u32 = 17;
const SUCCESS: u64 = 1 << SUCCESS_SHIFT;
const MAX_SUCCESSES: u64 = (1 << (EPOCH_SHIFT - SUCCESS_SHIFT)) - 1;
const FAILURE: u64 = 1;
const MAX_FAILURES: u64 = SUCCESS - 1;
/// How far ahead a clock of another thread may be, in epochs; what is further is old.
const AHEAD: u64 = 1 << 10;

// === impl Bucket ===

impl Bucket {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts a success. True: there was no room, and all that was counted was halved.
    #[inline]
    pub(crate) fn succeeded(&self, epoch: Epoch) -> bool {
        let before = self.change(epoch, |counts| room(counts, SUCCESS) + SUCCESS);
        is_full(before, SUCCESS)
    }

    /// The same for a failure.
    pub(crate) fn failed(&self, epoch: Epoch) -> bool {
        let before = self.change(epoch, |counts| room(counts, FAILURE) + FAILURE);
        is_full(before, FAILURE)
    }

    /// Counts one of which another bucket counts the results: here is room for as many as there.
    pub(crate) fn noted(&self, epoch: Epoch) {
        self.change(epoch, |count| (count + 1).min(COUNTS_MASK));
    }

    /// The other bucket was halved.
    #[cold]
    pub(crate) fn halve(&self, epoch: Epoch) {
        self.change(epoch, |count| count / 2);
    }

    /// How many were [noted](Self::noted) in the window that ends with `now`.
    pub(crate) fn count(&self, now: Epoch) -> u64 {
        let word = self.0.load(Ordering::Relaxed);
        let counts = Epoch::of(word).is_in_window_of(now);
        if counts { word & COUNTS_MASK } else { 0 }
    }

    /// What is in the window that ends with `now`.
    pub(crate) fn totals(&self, now: Epoch) -> Totals {
        // Relaxed: whoever decides by this stands behind a fence.
        let word = self.0.load(Ordering::Relaxed);
        if Epoch::of(word).is_in_window_of(now) {
            Totals::of(word)
        } else {
            Totals::default()
        }
    }

    /// Answers what of this epoch was counted before.
    #[inline(always)]
    fn change(&self, epoch: Epoch, change: impl Fn(u64) -> u64) -> u64 {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let counts = match Epoch::of(word) {
                same if same == epoch => word & COUNTS_MASK,
                _ if word & COUNTS_MASK == 0 => 0,
                // A whole window went by between the caller's look at the clock and here.
                later if later.is_ahead_of(epoch) => return 0,
                _ => 0,
            };
            let next = (epoch.0 << EPOCH_SHIFT) | change(counts);
            // Relaxed: the word is all there is to see.
            match self
                .0
                .compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return counts,
                Err(present) => word = present,
            }
        }
    }
}

// === impl Run ===

impl Run {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts a failure, and says the how-manieth it is.
    pub(crate) fn failed(&self, epoch: Epoch) -> u64 {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let before = if Epoch::of(word).is_in_window_of(epoch) {
                word & COUNTS_MASK
            } else {
                0
            };
            let run = (before + 1).min(COUNTS_MASK);
            match self.0.compare_exchange_weak(
                word,
                (epoch.0 << EPOCH_SHIFT) | run,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return run,
                Err(present) => word = present,
            }
        }
    }

    /// A success ends the run. It only writes if there is one.
    pub(crate) fn ended(&self) {
        let word = self.0.load(Ordering::Relaxed);
        if word & COUNTS_MASK != 0 {
            // Lost to a failure of the same moment: either order is true.
            let _ = self
                .0
                .compare_exchange(word, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

// === impl Epoch ===

impl Epoch {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number & EPOCH_MASK)
    }

    /// Which bucket of a ring is this epoch's.
    pub(crate) const fn slot(self) -> usize {
        self.0 as usize % BUCKETS
    }

    /// How many windows, at least, from here to a whole one past `other`.
    pub(crate) const fn windows_past(self, other: Self) -> u32 {
        let behind = other.0.wrapping_sub(self.0) & EPOCH_MASK;
        // Two, because the clocks of two threads may stand on two sides of an edge.
        behind.div_ceil(BUCKETS as u64) as u32 + 2
    }

    const fn of(word: u64) -> Self {
        Self(word >> EPOCH_SHIFT)
    }

    const fn is_in_window_of(self, now: Self) -> bool {
        now.0.wrapping_sub(self.0) & EPOCH_MASK < BUCKETS as u64 || self.is_ahead_of(now)
    }

    const fn is_ahead_of(self, now: Self) -> bool {
        let ahead = self.0.wrapping_sub(now.0) & EPOCH_MASK;
        ahead != 0 && ahead < AHEAD
    }
}

// === impl Totals ===

impl Totals {
    const fn of(word: u64) -> Self {
        Self {
            successes: (word & COUNTS_MASK) >> SUCCESS_SHIFT,
            failures: word & MAX_FAILURES,
            slow: 0,
        }
    }

    /// How many calls there were.
    pub(crate) const fn calls(self) -> u64 {
        self.successes + self.failures
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.successes += other.successes;
        self.failures += other.failures;
        self.slow += other.slow;
    }
}

/// Halves both counts where one more would not fit: the ratio is what counts, and it stays.
const fn room(counts: u64, one: u64) -> u64 {
    if is_full(counts, one) {
        let Totals {
            successes,
            failures,
            slow: _,
        } = Totals::of(counts);
        successes / 2 * SUCCESS + failures / 2
    } else {
        counts
    }
}

const fn is_full(counts: u64, one: u64) -> bool {
    let totals = Totals::of(counts);
    if one == FAILURE {
        totals.failures == MAX_FAILURES
    } else {
        totals.successes == MAX_SUCCESSES
    }
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    #[cfg(not(ziggurat_loom))]
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
