//! The generic cell rate algorithm: one number instead of a bucket of tokens.
//!
//! The number is the theoretical arrival time (TAT): when the bucket would be full again. A call at
//! `t` is admitted if `t >= TAT - interval * (burst - 1)`, and moves it to `max(TAT, t) + interval`
//! (ITU-T I.371, annex A; the virtual scheduling form). A call that costs `n` moves it by `n` intervals,
//! and is admitted if that leaves it no further ahead than `interval * burst`.
//!
//! It is a time whatever the rate, so another rate needs no other number: only one that is further
//! ahead than the new rate lets anybody be is brought back, by the call that finds it there.

use self::sync::{AtomicU64, Ordering};
use crate::Rate;

/// Sixteenths of a nanosecond: 36 years fit, and the rounding of an interval stays below 0.1 % up
/// to 16 million calls a second.
pub(crate) const TICKS: u64 = 16;

/// What one limit remembers: the TAT, in ticks since its first call.
#[derive(Debug)]
pub(crate) struct Gcra(AtomicU64);

/// What becomes of a TAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Admitted, and this is the TAT from now on.
    Admit(u64),
    /// To wait so many nanoseconds; and this is the TAT from now on, if it is another.
    Wait(u64, u64),
}

// === impl Gcra ===

impl Gcra {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes `cost`, or says how many nanoseconds to wait for it; `now` is in nanoseconds.
    ///
    /// `present` reads the rate and the time anew. It is asked when the TAT is not what the rate and
    /// the time of this call can explain.
    pub(crate) fn take(
        &self,
        rate: Rate,
        cost: u32,
        now: u64,
        present: impl Fn() -> (Rate, u64),
    ) -> Result<(), u64> {
        let (mut rate, mut now) = (rate, now);
        // Acquire pairs with the Release below: who sees a TAT, and reads the rate and the time
        // after that, reads what it was made by, or what came later.
        let mut tat = self.0.load(Ordering::Acquire);
        loop {
            if tat > furthest(rate, now) {
                (rate, now) = present();
            }
            let (next, answer) = match step(tat, rate, cost.into(), now) {
                Step::Admit(next) => (next, Ok(())),
                Step::Wait(wait, same) if same == tat => return Err(wait),
                Step::Wait(wait, nearer) => (nearer, Err(wait)),
            };
            match self
                .0
                .compare_exchange_weak(tat, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return answer,
                Err(present) => tat = present,
            }
        }
    }

    /// How many nanoseconds to wait until `cost` could be taken, which may be above the burst.
    pub(crate) fn wait(&self, rate: Rate, cost: u64, now: u64) -> u64 {
        match step(self.0.load(Ordering::Acquire), rate, cost, now) {
            Step::Admit(_) => 0,
            Step::Wait(wait, _) => wait,
        }
    }
}

/// Where calls at this rate can leave the TAT at most.
pub(crate) const fn furthest(rate: Rate, now: u64) -> u64 {
    now.saturating_mul(TICKS).saturating_add(rate.window())
}

/// Decides about a call at `now`, in nanoseconds.
///
/// A TAT that is further ahead than the rate lets anybody be was made by another rate, and is brought
/// back to where the next single call may go. Whoever calls has made sure that rate and time are not
/// older than the TAT, or calls that read the time a little earlier than others would mint calls.
pub(crate) const fn step(tat: u64, rate: Rate, cost: u64, now: u64) -> Step {
    let furthest = furthest(rate, now);
    let from = if tat > furthest {
        furthest.saturating_sub(rate.interval())
    } else {
        tat
    };
    let now = now.saturating_mul(TICKS);
    let ticks = rate.interval().saturating_mul(cost);
    // What is beyond a window is waited for, too: a queue asks for the sum of its calls.
    let earliest = from.saturating_add(ticks).saturating_sub(rate.window());
    if now < earliest && from.saturating_add(ticks) > from {
        return Step::Wait((earliest - now).div_ceil(TICKS), from);
    }
    let start = if from > now { from } else { now };
    Step::Admit(start.saturating_add(ticks))
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
