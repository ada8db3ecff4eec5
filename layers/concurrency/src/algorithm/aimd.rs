//! Additive increase, multiplicative decrease.

use super::{Algorithm, Window, bounds::Bounds};
use crate::settings::check;
use std::time::Duration;
use ziggurat_core::InvalidSetting;

/// One more while all goes well, a tenth less when calls are [dropped](Window#structfield.dropped) or take
/// too long (the AIMD of Netflix's concurrency-limits).
///
/// It knows no latency but the one that it is told: set [`slow`](Self::slow) to what is too long, or it
/// finds the limit only by what is dropped.
///
/// # Defaults
///
/// Limits from 1 to 200, 20 at first; times 0.9; slow above 5 s.
#[derive(Clone, Copy, Debug)]
pub struct Aimd {
    bounds: Bounds,
    factor: f64,
    slow: Duration,
}

// === impl Aimd ===

impl Default for Aimd {
    fn default() -> Self {
        Self::new()
    }
}

impl Aimd {
    /// The defaults above.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bounds: Bounds::new(1, 20, 200),
            factor: 0.9,
            slow: Duration::from_secs(5),
        }
    }

    /// Stays from `min` to `max`, and starts with `initial`.
    ///
    /// # Errors
    ///
    /// If they are not in this order, or not from 1 to 1,000,000.
    pub fn limits(mut self, min: u32, initial: u32, max: u32) -> Result<Self, InvalidSetting> {
        self.bounds = Bounds::checked(min, initial, max)?;
        Ok(self)
    }

    /// Decreases to this share.
    ///
    /// # Errors
    ///
    /// If it is not from 0.1 to 0.99.
    pub fn factor(mut self, factor: f64) -> Result<Self, InvalidSetting> {
        let rule = "must be from 0.1 to 0.99";
        check((0.1..=0.99).contains(&factor), "factor", factor, rule)?;
        self.factor = factor;
        Ok(self)
    }

    /// Decreases also when calls take longer than this, on average.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn slow(mut self, latency: Duration) -> Result<Self, InvalidSetting> {
        check(!latency.is_zero(), "slow", latency, "must be above zero")?;
        self.slow = latency;
        Ok(self)
    }
}

impl Algorithm for Aimd {
    fn limit(&self) -> u32 {
        self.bounds.limit()
    }

    fn update(&mut self, window: &Window) -> u32 {
        let limit = self.bounds.get();
        if window.dropped || window.latency.is_some_and(|latency| latency > self.slow) {
            self.bounds.set((limit * self.factor).floor());
        } else if window.latency.is_some() && !window.is_idle(self.limit()) {
            self.bounds.set(limit + 1.0);
        }
        self.limit()
    }
}
