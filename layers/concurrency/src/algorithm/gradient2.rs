//! By the ratio of what is usual to what is now.

use super::{Algorithm, Window, bounds::Bounds};
use crate::settings::check;
use ziggurat_core::InvalidSetting;

/// Compares how long calls take now with how long they took on a long average (the Gradient2 of
/// Netflix's concurrency-limits): the limit follows their ratio, with room for a queue on top.
///
/// `L' = 0.8 L + 0.2 (L g + queue)`, with `g` the long average times the tolerance by the present
/// latency, from 0.5 to 1. It takes what lasts for usual: an overload of minutes, too. What is
/// dropped teaches it nothing.
///
/// # Defaults
///
/// Limits from 20 to 200, 20 at first; tolerance 1.5; a queue of 4; an average over 600 windows.
#[derive(Clone, Copy, Debug)]
pub struct Gradient2 {
    bounds: Bounds,
    tolerance: f64,
    queue: u32,
    usual: f64,
    windows: u32,
}

const SMOOTHING: f64 = 0.2;
const AVERAGE: u32 = 600;
const WARM_UP: u32 = 10;

// === impl Gradient2 ===

impl Default for Gradient2 {
    fn default() -> Self {
        Self::new()
    }
}

impl Gradient2 {
    /// The defaults above.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bounds: Bounds::new(20, 20, 200),
            tolerance: 1.5,
            queue: 4,
            usual: 0.0,
            windows: 0,
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

    /// Takes this many times the usual latency for usual.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to 10.
    pub fn tolerance(mut self, tolerance: f64) -> Result<Self, InvalidSetting> {
        let rule = "must be from 1 to 10";
        check(
            (1.0..=10.0).contains(&tolerance),
            "tolerance",
            tolerance,
            rule,
        )?;
        self.tolerance = tolerance;
        Ok(self)
    }

    /// Leaves room for so many calls that wait.
    ///
    /// # Errors
    ///
    /// If it is zero (the limit could never grow), or above 10,000.
    pub fn queue(mut self, calls: u32) -> Result<Self, InvalidSetting> {
        let rule = "must be from 1 to 10000";
        check((1..=10_000).contains(&calls), "queue", calls, rule)?;
        self.queue = calls;
        Ok(self)
    }

    /// A plain average at first, an exponential one once it is warm.
    fn learn(&mut self, latency: f64) {
        self.windows = (self.windows + 1).min(AVERAGE);
        let weight = match self.windows {
            warming @ 1..=WARM_UP => 1.0 / f64::from(warming),
            _ => 2.0 / f64::from(AVERAGE + 1),
        };
        self.usual += (latency - self.usual) * weight;
        // After a time of overload, back to what is usual again.
        if self.usual / latency > 2.0 {
            self.usual *= 0.95;
        }
    }
}

impl Algorithm for Gradient2 {
    fn limit(&self) -> u32 {
        self.bounds.limit()
    }

    fn update(&mut self, window: &Window) -> u32 {
        let Some(latency) = window.latency else {
            return self.limit();
        };
        // A nanosecond is more than nothing, and nothing divides.
        let latency = latency.as_secs_f64().max(1e-9);
        self.learn(latency);
        if !window.is_idle(self.limit()) {
            let gradient = (self.tolerance * self.usual / latency).clamp(0.5, 1.0);
            let limit = self.bounds.get();
            let next = limit * gradient + f64::from(self.queue);
            self.bounds
                .set(limit * (1.0 - SMOOTHING) + next * SMOOTHING);
        }
        self.limit()
    }
}
