//! The generic cell rate algorithm: one number instead of a bucket of tokens.
//!
//! The number is the theoretical arrival time (TAT): when the bucket would be full again. A call at
//! `t` is admitted if `t >= TAT - interval * (burst - 1)`, and moves it to `max(TAT, t) + interval`
//! (ITU-T I.371, annex A; the virtual scheduling form).

use crate::Rate;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Sixteenths of a nanosecond: 36 years fit, and the rounding of an interval stays below 0.1 % up
/// to 16 million calls a second.
pub(crate) const TICKS: u64 = 16;

/// What one limit remembers: times are in ticks since its first call.
#[derive(Debug)]
pub(crate) struct Gcra {
    tat: AtomicU64,
    /// The rate that `tat` was counted by.
    interval: AtomicU64,
    tolerance: AtomicU64,
    change: Mutex<()>,
}

// === impl Gcra ===

impl Gcra {
    pub(crate) const fn new(rate: &Rate) -> Self {
        Self {
            tat: AtomicU64::new(0),
            interval: AtomicU64::new(rate.interval()),
            tolerance: AtomicU64::new(rate.tolerance()),
            change: Mutex::new(()),
        }
    }

    /// Takes one, or says how many nanoseconds to wait for it; `now` is in nanoseconds.
    pub(crate) fn take(&self, rate: &Rate, now: u64) -> Result<(), u64> {
        let now = now.saturating_mul(TICKS);
        let (interval, tolerance) = (rate.interval(), rate.tolerance());
        if !self.is_by(interval, tolerance) {
            self.adopt(interval, tolerance, now);
        }
        let mut tat = self.tat.load(Ordering::Relaxed);
        loop {
            let earliest = tat.saturating_sub(tolerance);
            if now < earliest {
                return Err((earliest - now).div_ceil(TICKS));
            }
            let next = tat.max(now).saturating_add(interval);
            // Relaxed: the number is all there is to see.
            match self
                .tat
                .compare_exchange_weak(tat, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(present) => tat = present,
            }
        }
    }

    fn is_by(&self, interval: u64, tolerance: u64) -> bool {
        self.interval.load(Ordering::Relaxed) == interval
            && self.tolerance.load(Ordering::Relaxed) == tolerance
    }

    /// Counts by another rate: who owed calls owes as many, but no more than a burst.
    fn adopt(&self, interval: u64, tolerance: u64, now: u64) {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_by(interval, tolerance) {
            return;
        }
        let before = self.interval.load(Ordering::Relaxed).max(1);
        let most = u128::from(tolerance) + u128::from(interval);
        let convert = |tat: u64| {
            let owed = u128::from(tat.saturating_sub(now)) * u128::from(interval);
            let owed = owed.div_ceil(before.into()).min(most);
            now.saturating_add(u64::try_from(owed).unwrap_or(u64::MAX))
        };
        let _ = self
            .tat
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tat| {
                Some(convert(tat))
            });
        self.tolerance.store(tolerance, Ordering::Relaxed);
        self.interval.store(interval, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
