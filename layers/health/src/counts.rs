//! What is counted of one endpoint between two looks at all of them.

use crate::outliers::Tally;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ends of calls; only counted while somebody will look.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    successes: AtomicU64,
    failures: AtomicU64,
}

// === impl Counts ===

// Relaxed: they are numbers, and nothing stands behind them.
impl Counts {
    pub(crate) fn success(&self) {
        self.successes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since it was last taken.
    pub(crate) fn take(&self) -> Tally {
        Tally {
            successes: self.successes.swap(0, Ordering::Relaxed),
            failures: self.failures.swap(0, Ordering::Relaxed),
        }
    }
}
