//! What a call asks for, and how much to take in advance with it.

use super::stripe::Span;
use crate::Rate;

/// One call at one moment.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) rate: Rate,
    /// In ticks.
    pub(super) need: u64,
    pub(super) span: Span,
}

/// Less than so many calls a piece are not worth it.
pub(super) const LEAST: usize = 2;
/// All pieces together are this part of the burst.
pub(super) const PART: usize = 8;

// === impl Ask ===

impl Ask {
    pub(super) fn new(rate: Rate, cost: u32, now: u64) -> Self {
        Self {
            rate,
            need: rate.interval().saturating_mul(cost.into()),
            span: Span::new(rate, now),
        }
    }

    /// How much to take in advance, where there is so much room: a part of the burst; little when little
    /// is left, and nothing when that is less than a call.
    pub(super) fn piece(&self, stripes: usize, room: u64) -> u64 {
        let stripes = stripes as u64;
        let most = self.rate.window() / (PART as u64 * stripes);
        let most = most.min(room / (2 * stripes));
        most - most % self.rate.interval()
    }
}

/// Is the burst so large that pieces of it are worth taking?
pub(super) const fn pays(rate: Rate, stripes: usize) -> bool {
    rate.at_once() as usize >= LEAST * PART * stripes
}
