//! What the settings say about counts: plain arithmetic.

use super::{Settings, Span};
use crate::{
    bucket::{BUCKETS, Totals},
    word::Measure,
};
use std::time::Duration;
use ziggurat_core::Dice;

/// How much of the load a circuit that recovers takes at least.
const LEAST_SHARE: f64 = 0.1;

// === impl Settings ===

impl Settings {
    /// Is it enough, `run` failures in a row and these in the window?
    pub(crate) fn is_enough(&self, run: u64, totals: impl FnOnce() -> Totals) -> bool {
        if self
            .consecutive_failures
            .is_some_and(|most| run >= u64::from(most))
        {
            return true;
        }
        let totals = totals();
        let calls = totals.calls();
        // A quotient, not a product: 11 of 20 is exactly the double 0.55, but 0.55 * 20 is above 11.
        let share = |of: u64| of as f64 / calls as f64;
        calls >= u64::from(self.least_calls())
            && (share(totals.failures) >= self.failure_ratio
                || self
                    .slow
                    .is_some_and(|slow| share(totals.slow) >= slow.ratio))
    }

    /// How many calls a share needs: of a window of fewer it takes all, or it would never count.
    fn least_calls(&self) -> u32 {
        match self.window {
            Span::Time(_) => self.minimum_calls,
            Span::Calls(calls) => self.minimum_calls.min(calls),
        }
    }

    /// Is a call that took so long slow?
    pub(crate) fn is_slow(&self, took: Duration) -> bool {
        self.slow.is_some_and(|slow| took > slow.above)
    }

    /// What the window is measured in.
    pub(crate) fn measure(&self) -> Measure {
        match self.window {
            Span::Time(window) => {
                let width = window.as_micros() / BUCKETS as u128;
                Measure::bucket(u32::try_from(width).unwrap_or(u32::MAX))
            }
            Span::Calls(calls) => Measure::calls(calls),
        }
    }

    /// How long the circuit stays open the `streak`th time in a row.
    pub(crate) fn open_time(&self, streak: u32, dice: &Dice) -> Duration {
        self.backoff.delay(streak, dice)
    }

    /// The share of calls to reject after these, if it is a share at all.
    pub(crate) fn rejected_share(&self, totals: Totals) -> f64 {
        let Some(multiple) = self.adaptive else {
            return 0.0;
        };
        let (calls, accepted) = (totals.calls() as f64, totals.successes as f64);
        ((calls - multiple * accepted) / (calls + 1.0)).max(0.0)
    }

    /// The share of calls to admit so long before the end of the ramp.
    pub(crate) fn admitted_share(&self, left: Duration) -> f64 {
        if self.ramp.is_zero() {
            return 1.0;
        }
        let share = 1.0 - left.as_secs_f64() / self.ramp.as_secs_f64();
        share.clamp(LEAST_SHARE, 1.0)
    }
}
