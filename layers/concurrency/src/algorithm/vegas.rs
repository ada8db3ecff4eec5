//! By the queue that the latency tells of.
//!
//! ```text
//!              every 15 to 30 windows
//!   Following ────────────────────────> Draining: a fifth less, for two windows, ...
//!       ^                                   │  ^
//!       │  it got no quicker, or nobody     │  │ it got quicker
//!       │  is answered any more             │  │
//!       └───────────────────────────────────┴──┘
//! ```
//!
//! The latency without a queue has to be measured again now and then, or one quick answer, or one good
//! day, is what all are compared with for ever. Measured while calls queue it would creep up with
//! them, and the limit after it. So the limit is lowered until that makes nothing quicker: while it
//! does, calls queue, and the server loses nothing by it.

use super::{Algorithm, Window, bounds::Bounds};
use ziggurat_core::{Dice, InvalidSetting};

/// Estimates how many calls queue at the other side, and keeps a few there (TCP Vegas, as in
/// Netflix's concurrency-limits).
///
/// With a limit `L`, a latency without a queue `r0` and the present one `r`, `q = L (1 - r0 / r)` calls
/// queue. With `log` the whole part of the limit's decimal logarithm, at least 1: up to `log` of them
/// let the limit grow by `6 log`, less than `3 log` by `log`; more than `6 log`, or a window in which calls
/// were [dropped](Window#structfield.dropped), take `log` away.
///
/// # Defaults
///
/// Limits from 1 to 1,000, 20 at first.
#[derive(Clone, Debug)]
pub struct Vegas {
    bounds: Bounds,
    dice: Dice,
    phase: Phase,
    /// Seconds without a queue, as far as it is known.
    unqueued: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// For so many windows more.
    Following(usize),
    Draining(Drain),
}

#[derive(Clone, Copy, Debug)]
struct Drain {
    /// The limit for now.
    limit: u32,
    /// The latency when it began, and that before this step; in seconds.
    first: f64,
    last: f64,
    /// What was sent before this step is still among what ends in this window.
    mixed: bool,
}

const ROUND: usize = 30;
const STEP: f64 = 0.8;
/// A queue would make a step quicker by as much as the limit is lower.
const QUICKER: f64 = 0.9;

// === impl Vegas ===

impl Default for Vegas {
    fn default() -> Self {
        Self::new()
    }
}

impl Vegas {
    /// The defaults above.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bounds: Bounds::new(1, 20, 1_000),
            dice: Dice::new(),
            // It knows little yet.
            phase: Phase::Following(ROUND / 3),
            unqueued: None,
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

    /// Draws the length of its rounds from `dice`, so that many do not measure at once.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    fn follow(&mut self, queued: f64, dropped: bool) {
        let limit = self.bounds.get();
        let log = log(limit);
        if dropped || queued > 6.0 * log {
            self.bounds.set(limit - log);
        } else if queued <= log {
            self.bounds.set(limit + 6.0 * log);
        } else if queued < 3.0 * log {
            self.bounds.set(limit + log);
        }
    }

    fn drain(&mut self, latency: f64, drain: Drain) {
        let Drain { first, last, .. } = drain;
        if drain.mixed {
            self.phase = Phase::Draining(Drain {
                mixed: false,
                ..drain
            });
        } else if latency < last * QUICKER && self.lower(drain.limit) < drain.limit {
            self.phase = Phase::Draining(self.step(drain.limit, first, latency));
        } else {
            self.unqueued = Some(latency);
            let limit = self.bounds.get();
            let rest = limit * (latency / first) + 3.0 * log(limit);
            self.bounds.set(limit.min(rest));
            let windows = ROUND - self.dice.below(ROUND / 2 + 1);
            self.phase = Phase::Following(windows);
        }
    }

    fn lower(&self, limit: u32) -> u32 {
        self.bounds.clamp(f64::from(limit) * STEP)
    }

    fn step(&self, limit: u32, first: f64, last: f64) -> Drain {
        Drain {
            limit: self.lower(limit),
            first,
            last,
            mixed: true,
        }
    }
}

impl Algorithm for Vegas {
    fn limit(&self) -> u32 {
        match self.phase {
            Phase::Following(_) => self.bounds.limit(),
            Phase::Draining(drain) => drain.limit,
        }
    }

    fn update(&mut self, window: &Window) -> u32 {
        let latency = window.latency.map(|latency| latency.as_secs_f64());
        match (self.phase, latency) {
            // A nanosecond is more than nothing, and nothing divides.
            (Phase::Draining(drain), Some(latency)) => self.drain(latency.max(1e-9), drain),
            (Phase::Following(left), Some(latency)) => {
                let latency = latency.max(1e-9);
                let unqueued = self.unqueued.map_or(latency, |least| least.min(latency));
                self.unqueued = Some(unqueued);
                let queued = (self.bounds.get() * (1.0 - unqueued / latency)).ceil();
                if window.dropped || !window.is_idle(self.bounds.limit()) {
                    self.follow(queued, window.dropped);
                }
                self.phase = match left.checked_sub(1) {
                    Some(left) => Phase::Following(left),
                    None => Phase::Draining(self.step(self.bounds.limit(), latency, latency)),
                };
            }
            (phase, None) if window.dropped => {
                if let Phase::Draining(drain) = phase {
                    // There is nothing to be measured, and what it came down to stays.
                    self.bounds.set(self.bounds.get().min(drain.limit.into()));
                    self.phase = Phase::Following(ROUND);
                }
                self.follow(0.0, true);
            }
            (_, None) => {}
        }
        self.limit()
    }
}

/// The unit of its steps.
fn log(limit: f64) -> f64 {
    limit.log10().floor().max(1.0)
}
