//! Calls that were not paid in yet, counted by each thread alone.

use super::sync::{AtomicU64, Relaxed};
use ziggurat_core::seat::{self, Apart};

/// One count for each seat, and one for all threads that have none of their own.
///
/// All orderings are relaxed: the counts guard nothing but themselves. Whoever takes over a seat sees
/// what was counted there, as seats are handed over by Release and Acquire.
#[derive(Debug)]
pub(super) struct Tallies([Apart<Tally>; seat::PLACES]);

/// Neither number ever becomes smaller.
#[derive(Debug)]
struct Tally {
    /// Calls that have begun: written by one thread alone.
    begun: AtomicU64,
    /// How many of them were taken: by anyone.
    taken: AtomicU64,
}

// === impl Tallies ===

impl Tallies {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Apart(Tally::new())))
    }

    /// Counts a call; how many are not taken in this place.
    #[inline]
    pub(super) fn add(&self, place: usize) -> u64 {
        let Apart(tally) = &self.0[place];
        let begun = if place < seat::OWN {
            // Nobody else writes it: it takes no locked instruction.
            let begun = tally.begun.load(Relaxed) + 1;
            tally.begun.store(begun, Relaxed);
            begun
        } else {
            tally.begun.fetch_add(1, Relaxed) + 1
        };
        begun.saturating_sub(tally.taken.load(Relaxed))
    }

    /// How many calls were counted and not taken, as far as one look tells.
    pub(super) fn left(&self) -> u64 {
        self.0.iter().map(|Apart(tally)| tally.left()).sum()
    }

    /// Takes all calls that were counted and that nobody else has taken.
    pub(super) fn take(&self) -> u64 {
        self.0.iter().map(|Apart(tally)| tally.take()).sum()
    }
}

// === impl Tally ===

impl Tally {
    fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    fn left(&self) -> u64 {
        let taken = self.taken.load(Relaxed);
        self.begun.load(Relaxed).saturating_sub(taken)
    }

    fn take(&self) -> u64 {
        let begun = self.begun.load(Relaxed);
        if self.taken.load(Relaxed) >= begun {
            return 0;
        }
        // Of two who take at once, the second gets what the first has not seen.
        let before = self.taken.fetch_max(begun, Relaxed);
        begun.saturating_sub(before)
    }
}
