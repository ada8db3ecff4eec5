//! What picks compare.
//!
//! The load of an endpoint is `(latency + penalty * failure rate) * (1 + pending / weight)`: the
//! latency by Finagle's `PeakEwma`, the failure rate an average over the same time, so that failing
//! fast repels and one failure in a thousand does not.
//!
//! Of whom nothing was heard for long only what is pending tells, and one call a second finds out.

use super::{
    Stats,
    cost::{cost, is_faded},
    sync::Ordering::Relaxed,
};
use crate::{estimate::Estimate, settings::Weighing};

/// What a pick compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighed {
    /// How much stands behind a call that would go there now.
    pub(crate) load: f64,
    /// How much of its share a new endpoint may have, from a tenth to 1.
    pub(crate) grown: f64,
}

/// Heavier than whatever is known, and light enough to be multiplied by what is pending.
pub(crate) const UNKNOWN: f64 = 1e18;
/// What a call costs, in nanoseconds, where it is not known any more: little, so that one goes there
/// and finds out, but not without regard to what is pending.
const FORGOTTEN: f64 = 1e6;
/// A second call finds out what an endpoint is like when the first has not by then, in nanoseconds.
const PROBE: u64 = 1_000_000_000;
/// The share of a new endpoint at its start.
const FLOOR: f64 = 0.1;

// === impl Stats ===

impl Stats {
    /// How much stands behind a call that would go there now.
    pub(crate) fn load(&self, now: u64, weight: u32, weighing: &Weighing) -> f64 {
        self.weigh(now, weight, weighing).load
    }

    /// All that picks compare, for one look at what is known.
    #[inline(always)]
    pub(crate) fn weigh(&self, now: u64, weight: u32, weighing: &Weighing) -> Weighed {
        let pending = self.pending();
        let (latency, failure) = (self.latency.load(Relaxed), self.failure.load(Relaxed));
        if latency == Estimate::NONE && failure == Estimate::NONE {
            return self.untried(pending as f64, now);
        }
        let cost = || cost(latency, failure, now, weighing);
        let grown = || self.grown_since(self.born.load(Relaxed), now, weighing);
        if pending == 0 {
            // The common case, without a division.
            let (load, grown) = (cost(), grown());
            return Weighed { load, grown };
        }
        let (pending, weight) = (pending as f64, f64::from(weight.max(1)));
        if is_faded(latency, failure, now, weighing.decay) {
            return self.forgotten(pending / weight, now);
        }
        let grown = grown();
        let load = cost() * (1.0 + pending / (weight * grown));
        Weighed { load, grown }
    }

    /// One call finds out what it is like; until it is back, anything known is better. But it may be a
    /// long one, and then another finds out.
    #[cold]
    fn untried(&self, pending: f64, now: u64) -> Weighed {
        let load = if self.is_probed(now) && pending > 0.0 {
            UNKNOWN * (1.0 + pending)
        } else {
            0.0
        };
        // The probe is not held back.
        Weighed { load, grown: 1.0 }
    }

    /// The same of one that was known, and has calls that are open: long ones, or it has stalled.
    #[cold]
    fn forgotten(&self, pending: f64, now: u64) -> Weighed {
        let cost = if self.is_probed(now) {
            UNKNOWN
        } else {
            FORGOTTEN
        };
        let load = cost * (1.0 + pending);
        Weighed { load, grown: 1.0 }
    }

    /// Did a call go there a moment ago, to find out what it is like?
    fn is_probed(&self, now: u64) -> bool {
        let probed_at = self.probed_at.load(Relaxed);
        probed_at != 0 && now.saturating_sub(probed_at) < PROBE
    }

    /// The latency to expect, failures included, in nanoseconds.
    pub(crate) fn cost(&self, now: u64, weighing: &Weighing) -> f64 {
        let (latency, failure) = (self.latency.load(Relaxed), self.failure.load(Relaxed));
        cost(latency, failure, now, weighing)
    }

    /// How much of its share a new endpoint may have, from a tenth to 1 (Envoy's slow start).
    pub(crate) fn grown(&self, now: u64, weighing: &Weighing) -> f64 {
        if !self.is_known() {
            return 1.0;
        }
        self.grown_since(self.born.load(Relaxed), now, weighing)
    }

    #[inline]
    fn grown_since(&self, born: u64, now: u64, weighing: &Weighing) -> f64 {
        let age = now.saturating_sub(born);
        if age >= weighing.slow_start {
            return 1.0;
        }
        (age as f64 / weighing.slow_start as f64).max(FLOOR)
    }
}
