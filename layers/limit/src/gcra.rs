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
use crate::{Rate, striped::Piece};

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

/// What comes of asking for time, at a rate that nobody changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// All of it, and this for later; did another thread come between?
    Got { spare: Piece, met: bool },
    /// To wait so many nanoseconds.
    Wait(u64),
    /// Nothing changed: the TAT is not what this rate and this time can explain.
    Beyond,
}

// === impl Step ===

impl Step {
    /// In nanoseconds.
    pub(crate) const fn wait(self) -> u64 {
        match self {
            Self::Admit(_) => 0,
            Self::Wait(wait, _) => wait,
        }
    }
}

// === impl Gcra ===

impl Gcra {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes so many ticks, and what `more` says of the ticks that are left then.
    #[inline]
    pub(crate) fn claim(
        &self,
        rate: Rate,
        need: u64,
        now: u64,
        more: impl Fn(u64) -> u64,
    ) -> Claim {
        let mut tat = self.0.load(Ordering::Acquire);
        let mut met = false;
        loop {
            let end = match ahead(tat, rate, need, now) {
                Ok(end) => end,
                Err(refused) => return refused,
            };
            let next = end + more(furthest(rate, now) - end);
            match self
                .0
                .compare_exchange(tat, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    let spare = Piece {
                        from: end,
                        to: next,
                    };
                    return Claim::Got { spare, met };
                }
                Err(present) => (tat, met) = (present, true),
            }
        }
    }

    /// What [`claim`](Self::claim) would say.
    pub(crate) fn peek(&self, rate: Rate, need: u64, now: u64) -> Claim {
        match ahead(self.0.load(Ordering::Acquire), rate, need, now) {
            Ok(_) => Claim::Got {
                spare: Piece::default(),
                met: false,
            },
            Err(refused) => refused,
        }
    }

    /// How many nanoseconds to wait until so many ticks could be taken, which may be above the window.
    pub(crate) fn wait_ticks(&self, rate: Rate, need: u64, now: u64) -> u64 {
        step_ticks(self.tat(), rate, need, now).wait()
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
        let taken = self.take_while(|_| true, (rate, now), cost, present);
        taken.expect("it is always ours")
    }

    /// As [`take`](Self::take), as long as this is `ours` by what is seen with a TAT; `None` if it is not.
    #[inline]
    pub(crate) fn take_while(
        &self,
        ours: impl Fn(u64) -> bool,
        (mut rate, mut now): (Rate, u64),
        cost: u32,
        present: impl Fn() -> (Rate, u64),
    ) -> Option<Result<(), u64>> {
        // Acquire pairs with the Release below: who sees a TAT, and reads the rate and the time
        // after that, reads what it was made by, or what came later.
        let mut tat = self.0.load(Ordering::Acquire);
        loop {
            if !ours(tat) {
                return None;
            }
            if tat > furthest(rate, now) {
                (rate, now) = present();
            }
            let (next, answer) = match step(tat, rate, cost.into(), now) {
                Step::Admit(next) => (next, Ok(())),
                Step::Wait(wait, same) if same == tat => return Some(Err(wait)),
                Step::Wait(wait, nearer) => (nearer, Err(wait)),
            };
            match self
                .0
                .compare_exchange_weak(tat, next, Ordering::AcqRel, Ordering::Acquire)
            {
                // It may have become another's, and come to the same TAT.
                Ok(_) => return ours(next).then_some(answer),
                Err(present) => tat = present,
            }
        }
    }

    /// Gives back what was taken at this rate, since `since`, and not used.
    ///
    /// Less the time that went by since: that much of it may be what calls after it would have had to
    /// wait for, had they come alone. Of any number that are given back no two can claim the same time,
    /// so who is admitted meanwhile is never behind less than without them.
    pub(crate) fn give_back(
        &self,
        ours: impl Fn(u64) -> bool,
        rate: Rate,
        cost: u32,
        since: u64,
        present: impl Fn() -> (Rate, u64),
    ) {
        let need = rate.interval().saturating_mul(cost.into());
        let mut tat = self.0.load(Ordering::Acquire);
        loop {
            // After the TAT: nobody whom it counts came later than that.
            let (same, now) = present();
            let unused = need.saturating_sub(now.saturating_sub(since).saturating_mul(TICKS));
            let ahead = tat.saturating_sub(now.saturating_mul(TICKS));
            // Another rate may have brought the TAT back, and did not ask whose it was.
            if unused == 0 || ahead < unused || same != rate || !ours(tat) {
                return;
            }
            let next = tat - unused;
            match self
                .0
                .compare_exchange_weak(tat, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(present) => tat = present,
            }
        }
    }

    /// What it is now: to be looked at.
    pub(crate) fn tat(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Puts `next` in the place of `tat`, if that is what it still is.
    pub(crate) fn replace(&self, tat: u64, next: u64) -> bool {
        let replaced = self
            .0
            .compare_exchange(tat, next, Ordering::AcqRel, Ordering::Acquire);
        replaced.is_ok()
    }

    /// How many nanoseconds to wait until `cost` could be taken, which may be above the burst.
    pub(crate) fn wait(&self, rate: Rate, cost: u64, now: u64) -> u64 {
        self.wait_ticks(rate, rate.interval().saturating_mul(cost), now)
    }
}

/// Where so many ticks leave a TAT that this rate and this time explain.
#[inline]
const fn ahead(tat: u64, rate: Rate, need: u64, now: u64) -> Result<u64, Claim> {
    let furthest = furthest(rate, now);
    if tat > furthest {
        return Err(Claim::Beyond);
    }
    let now = now.saturating_mul(TICKS);
    let end = if tat > now { tat } else { now }.saturating_add(need);
    if end > furthest {
        return Err(Claim::Wait((end - furthest).div_ceil(TICKS)));
    }
    Ok(end)
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
    step_ticks(tat, rate, rate.interval().saturating_mul(cost), now)
}

/// Where a TAT is brought back to that is further ahead than this rate lets anybody be.
pub(crate) const fn nearer(tat: u64, rate: Rate, now: u64) -> Option<u64> {
    let furthest = furthest(rate, now);
    if tat > furthest {
        return Some(furthest.saturating_sub(rate.interval()));
    }
    None
}

const fn step_ticks(tat: u64, rate: Rate, ticks: u64, now: u64) -> Step {
    let from = match nearer(tat, rate, now) {
        Some(nearer) => nearer,
        None => tat,
    };
    let now = now.saturating_mul(TICKS);
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
