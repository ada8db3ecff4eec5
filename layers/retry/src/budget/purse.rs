//! Retries that are earned.
//!
//! Every call earns a share of a retry, and so does every second; a retry costs one. What calls
//! have earned beyond the reserve fades with a time constant of ten seconds, so that a quiet night
//! does not pay for a storm in the morning.

mod tally;

use self::{
    sync::{AtomicU64, Relaxed},
    tally::Tallies,
};
use super::Income;
use std::sync::OnceLock;
use ziggurat_core::{clock::Instant, seat};

/// A balance of retries; one atomic holds both the balance and its time, so no two threads can
/// spend the same retry.
///
/// All orderings are relaxed: the balance guards nothing but itself.
#[derive(Debug)]
pub(super) struct Purse {
    /// Calls that have not been paid in yet. Reading the time for each would cost twice the rest.
    calls: Tallies,
    /// The tick in the high bits, the balance in the low ones.
    balance: AtomicU64,
    start: OnceLock<Instant>,
}

/// How long earnings last, as in Finagle's `RetryBudget`.
const WINDOW: f64 = 10.0;
/// Each thread's calls are paid in by so many.
const BATCH: u64 = 64;
const BALANCE_BITS: u32 = 28;
const BALANCE_MAX: u64 = (1 << BALANCE_BITS) - 1;
/// The balance is kept in this fraction of a retry; 65535 retries are the most it holds.
const UNITS: f64 = 4_096.0;
/// Retries that are paid in at least, 64 of these units: what is rounded then is little of it.
const WORTH: f64 = 64.0 / UNITS;
/// Time is kept in ticks of this many milliseconds: 36 bits of them are 17 years.
const TICK: u128 = 8;
const TICK_MASK: u64 = (1 << (64 - BALANCE_BITS)) - 1;
/// Nothing has happened yet: the reserve is full.
const FRESH: u64 = u64::MAX;

// === impl Purse ===

impl Default for Purse {
    fn default() -> Self {
        Self::new()
    }
}

impl Purse {
    pub(super) fn new() -> Self {
        Self {
            calls: Tallies::new(),
            balance: AtomicU64::new(FRESH),
            start: OnceLock::new(),
        }
    }

    /// A call has begun. Asks for the time once in a while.
    #[inline(always)]
    pub(super) fn deposit(&self, income: Income, now: impl FnOnce() -> Instant) {
        if self.calls.add(seat::place()) >= BATCH {
            self.pay_in(income, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn pay_in(&self, income: Income, now: impl FnOnce() -> Instant) {
        self.settle(income, now(), self.calls.take(), Some);
    }

    /// Pays for one retry, if there is enough.
    pub(super) fn withdraw(&self, income: Income, now: Instant) -> bool {
        self.settle(income, now, self.worthwhile(income), |balance| {
            (balance >= UNITS).then_some(balance - UNITS)
        })
    }

    /// The retry that was paid for was not made.
    pub(super) fn refund(&self, income: Income, now: Instant) {
        let calls = self.worthwhile(income);
        self.settle(income, now, calls, |balance| Some(balance + UNITS));
    }

    /// Calls to be paid in with something else: not before they are worth enough together, as a balance
    /// is rounded, and whoever asks in vain call after call would round all of them away.
    fn worthwhile(&self, income: Income) -> u64 {
        match self.calls.left() as f64 * income.per_call >= WORTH {
            true => self.calls.take(),
            false => 0,
        }
    }

    /// Brings the balance up to `now`, pays in `calls`, and changes it; an answer of `None` leaves it as
    /// it is.
    fn settle(
        &self,
        income: Income,
        now: Instant,
        calls: u64,
        change: impl Fn(f64) -> Option<f64>,
    ) -> bool {
        let tick = self.tick(now);
        let mut old = self.balance.load(Relaxed);
        loop {
            let (then, balance) = unpack(old, tick, income);
            // Another thread's clock reading may be a little ahead of ours.
            let ticks = tick.wrapping_sub(then) & TICK_MASK;
            let (latest, ticks) = if ticks > TICK_MASK / 2 {
                (then, 0)
            } else {
                (tick, ticks)
            };
            let seconds = ticks as f64 * TICK as f64 / 1_000.0;
            let balance = income.aged(balance, seconds) + income.earned(calls, seconds);
            let changed = change(balance);
            let new = pack(latest, changed.unwrap_or(balance));
            match self
                .balance
                .compare_exchange_weak(old, new, Relaxed, Relaxed)
            {
                Ok(_) => return changed.is_some(),
                Err(current) => old = current,
            }
        }
    }

    fn tick(&self, now: Instant) -> u64 {
        let start = *self.start.get_or_init(|| now);
        let ticks = now.saturating_duration_since(start).as_millis() / TICK;
        ticks as u64 & TICK_MASK
    }
}

// === impl Income ===

impl Income {
    /// A balance, in units, after so many seconds.
    fn aged(self, balance: f64, seconds: f64) -> f64 {
        let reserve = self.per_second * WINDOW * UNITS;
        if balance < reserve {
            return (balance + self.per_second * seconds * UNITS).min(reserve);
        }
        // Less than one retry cannot be spent yet, so it must not fade either: slow callers would
        // never get anywhere.
        let kept = reserve.max(UNITS);
        if balance <= kept {
            return balance;
        }
        kept + (balance - kept) * (-seconds / WINDOW).exp()
    }

    /// What calls have earned, in units, of which we know that they came within so many seconds.
    fn earned(self, calls: u64, seconds: f64) -> f64 {
        let recent = (WINDOW / seconds).min(1.0);
        calls as f64 * self.per_call * recent * UNITS
    }
}

fn unpack(state: u64, tick: u64, income: Income) -> (u64, f64) {
    if state == FRESH {
        return (tick, income.per_second * WINDOW * UNITS);
    }
    (state >> BALANCE_BITS, (state & BALANCE_MAX) as f64)
}

fn pack(tick: u64, balance: f64) -> u64 {
    // One below the maximum, so that no state looks fresh. Rounded down: never more than earned.
    let balance = (balance as u64).min(BALANCE_MAX - 1);
    tick << BALANCE_BITS | balance
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
