//! What is usual, learned from some of the picks.

use std::sync::atomic::{AtomicU64, Ordering};
use ziggurat_core::seat::Apart;

/// A moving average of samples; 0 before there is one.
///
/// Apart from what every pick reads and nobody writes, which would be fetched again with it.
#[derive(Debug, Default)]
pub(crate) struct Usual(Box<Apart<AtomicU64>>);

const WEIGHT: f64 = 0.125;

// === impl Usual ===

impl Usual {
    pub(crate) fn get(&self) -> f64 {
        let Apart(usual) = &*self.0;
        f64::from_bits(usual.load(Ordering::Relaxed))
    }

    pub(crate) fn learn(&self, sample: f64) {
        let usual = match self.get() {
            0.0 => sample,
            usual => usual + (sample - usual) * WEIGHT,
        };
        // Relaxed, and two that learn at once may forget one of the two.
        self.0.0.store(usual.to_bits(), Ordering::Relaxed);
    }
}

impl Clone for Usual {
    /// Learns on its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}
