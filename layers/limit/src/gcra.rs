//! The generic cell rate algorithm: one number instead of a bucket of tokens.
//!
//! The number is the theoretical arrival time (TAT): when the bucket would be full again. A call at
//! `t` is admitted if `t >= TAT - interval * (burst - 1)`, and moves it to `max(TAT, t) + interval`
//! (ITU-T I.371, annex A; the virtual scheduling form).
//!
//! It is a time whatever the rate, so another rate needs no other number: only one that is further
//! ahead than the new rate lets anybody be is brought back, by the call that finds it there.

use crate::Rate;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sixteenths of a nanosecond: 36 years fit, and the rounding of an interval stays below 0.1 % up
/// to 16 million calls a second.
pub(crate) const TICKS: u64 = 16;

/// What one limit remembers: the TAT, in ticks since its first call.
#[derive(Debug)]
pub(crate) struct Gcra(AtomicU64);

// === impl Gcra ===

impl Gcra {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes one, or says how many nanoseconds to wait for it; `now` is in nanoseconds.
    ///
    /// `present` reads the rate and the time anew. It is asked when the TAT is not what the rate and
    /// the time of this call can explain.
    pub(crate) fn take(
        &self,
        rate: Rate,
        now: u64,
        present: impl Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        let (mut rate, mut now) = (rate, now.saturating_mul(TICKS));
        // Acquire pairs with the Release below: who sees a TAT, and reads the rate and the time
        // after that, reads what it was made by, or what came later.
        let mut tat = self.0.load(Ordering::Acquire);
        loop {
            let mut from = tat;
            if tat > furthest(rate, now) {
                let (rate_now, time) = present();
                (rate, now) = (rate_now, time.saturating_mul(TICKS));
                // Still: so it was made by another rate. By this one it cannot be, or calls that
                // read the time a little earlier than others would lower it, and mint calls.
                if tat > furthest(rate, now) {
                    from = now.saturating_add(rate.tolerance());
                }
            }
            let earliest = from.saturating_sub(rate.tolerance());
            if now < earliest {
                return Err((earliest - now).div_ceil(TICKS));
            }
            let next = from.max(now).saturating_add(rate.interval());
            match self
                .0
                .compare_exchange_weak(tat, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Ok(()),
                Err(present) => tat = present,
            }
        }
    }
}

/// Where a call at this rate can leave the TAT at most.
const fn furthest(rate: Rate, now: u64) -> u64 {
    now.saturating_add(rate.tolerance())
        .saturating_add(rate.interval())
}

#[cfg(test)]
mod tests;
