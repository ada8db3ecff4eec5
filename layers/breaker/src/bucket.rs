//! One slice of the window in one atomic word, so that a result is recorded by one write.

use self::sync::{AtomicU64, Ordering};

pub(crate) use self::sync::fence;

/// How many buckets the window has; the oldest is dropped when a new one begins.
pub(crate) const BUCKETS: usize = if cfg!(ziggurat_loom) { 2 } else { 16 };

/// How many calls of one kind an epoch had; the first record of a later one starts it over.
///
/// A word for each kind: two numbers in one word leave too little room for an hour of many calls.
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
/// More than a thousand million a second in the widest slice there is: nobody gets there.
const COUNTS_MASK: u64 = (1 << EPOCH_SHIFT) - 1;
/// How far ahead a clock of another thread may be, in epochs; what is further is old.
const AHEAD: u64 = 1 << 10;

// === impl Bucket ===

impl Bucket {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// How many there are in the window that ends with `now`.
    pub(crate) fn count(&self, now: Epoch) -> u64 {
        // Relaxed: whoever decides by this stands behind a fence.
        let word = self.0.load(Ordering::Relaxed);
        if Epoch::of(word).is_in_window_of(now) {
            word & COUNTS_MASK
        } else {
            0
        }
    }

    /// One more.
    pub(crate) fn add(&self, epoch: Epoch) {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let count = match Epoch::of(word) {
                same if same == epoch => word & COUNTS_MASK,
                _ if word & COUNTS_MASK == 0 => 0,
                // A whole window went by between the caller's look at the clock and here.
                later if later.is_ahead_of(epoch) => return,
                _ => 0,
            };
            let next = (epoch.0 << EPOCH_SHIFT) | (count + 1).min(COUNTS_MASK);
            // Relaxed: the word is all there is to see.
            match self
                .0
                .compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
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
    /// How many calls there were.
    pub(crate) const fn calls(self) -> u64 {
        self.successes + self.failures
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
