//! What is usual, learned from some of the picks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A moving average of samples; 0 before there is one.
#[derive(Debug, Default)]
pub(crate) struct Usual(AtomicU64);

const WEIGHT: f64 = 0.125;

// === impl Usual ===

impl Usual {
    pub(crate) fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn learn(&self, sample: f64) {
        let usual = match self.get() {
            0.0 => sample,
            usual => usual + (sample - usual) * WEIGHT,
        };
        // Relaxed, and two that learn at once may forget one of the two.
        self.0.store(usual.to_bits(), Ordering::Relaxed);
    }
}

impl Clone for Usual {
    /// Learns on its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}
