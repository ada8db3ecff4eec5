//! How many calls are open, and how many have ended.

use super::sync::{AtomicU64, Ordering::Relaxed};

/// Calls that are open, and calls that have ended, in one word: the most that one pick reads at once.
#[derive(Debug)]
pub(super) struct Flow(AtomicU64);

// === impl Flow ===

impl Flow {
    /// Ended calls are counted above this, and wrap; open ones below it, which nobody can fill.
    const ENDED: u32 = 24;

    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn start(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.fetch_add((1 << Self::ENDED) - 1, Relaxed);
    }

    pub(super) fn pending(&self) -> u64 {
        self.0.load(Relaxed) & ((1 << Self::ENDED) - 1)
    }

    pub(super) fn ended(&self) -> u64 {
        self.0.load(Relaxed) >> Self::ENDED
    }
}
