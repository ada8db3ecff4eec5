//! Counters that threads do not share, where what matters is that each goes on.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use ziggurat_core::{
    Dice,
    seat::{self, Apart},
};

/// Counts up, for each thread by itself; each begins anywhere, so that many clients that start
/// together do not all begin at the same endpoint.
pub(crate) struct Stripes {
    lines: [Apart<AtomicU64>; LINES],
    dice: Dice,
}

const LINES: usize = 8;

// === impl Stripes ===

impl Stripes {
    pub(crate) fn new(dice: Dice) -> Self {
        Self {
            lines: Default::default(),
            dice,
        }
    }

    /// A number, and the next one the next time this thread asks.
    pub(crate) fn next(&self) -> u64 {
        let Apart(count) = &self.lines[seat::among(LINES)];
        // Relaxed: threads that share a line take turns, and nothing else hangs on it.
        let next = count.fetch_add(1, Ordering::Relaxed);
        if next != 0 {
            return next;
        }
        let begin = self.dice.number() >> 1;
        count.fetch_add(begin, Ordering::Relaxed);
        begin
    }
}

impl Clone for Stripes {
    /// Counts on its own.
    fn clone(&self) -> Self {
        Self::new(self.dice.clone())
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_counts_without_a_gap() {
        let stripes = Stripes::new(Dice::seeded(3));
        let first = stripes.next();
        for n in 1..100 {
            assert_eq!(stripes.next(), first + n);
        }
    }
}
