//! How long to wait before trying again.

use crate::{Dice, InvalidSetting, deadline::FAR};
use std::{fmt, time::Duration};

/// Delays that grow by a factor up to a maximum, each spread by chance.
///
/// The delay before the n-th new try (the first is 1) is
/// `min(initial * factor^(n-1), max) * U(1 - jitter, 1 + jitter)`, as gRPC defines it (gRFC A6).
///
/// # Defaults
///
/// gRPC's for connections: 1 s, times 1.6, up to 120 s, 20 % either way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
}

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Self {
        Self::GRPC_CONNECT
    }
}

impl Backoff {
    /// What gRPC waits between two tries to connect (grpc/grpc, `doc/connection-backoff.md`).
    pub const GRPC_CONNECT: Self = Self {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(120),
        factor: 1.6,
        jitter: 0.2,
    };

    /// From `initial`, times `factor` each time, up to `max`; 20 % jitter either way.
    ///
    /// # Errors
    ///
    /// If `initial` is zero, `max` below it, or `factor` below 1 or not finite.
    pub fn new(initial: Duration, factor: f64, max: Duration) -> Result<Self, InvalidSetting> {
        if initial.is_zero() {
            return Err(invalid("initial", initial, "must be above zero"));
        }
        if max < initial {
            return Err(invalid("max", max, "must not be below initial"));
        }
        if !factor.is_finite() || factor < 1.0 {
            return Err(invalid("factor", factor, "must be at least 1"));
        }
        Ok(Self {
            initial,
            max,
            factor,
            jitter: 0.2,
        })
    }

    /// Spreads each delay by this share either way; 0 for none.
    ///
    /// # Errors
    ///
    /// If it is not from 0 to 1.
    pub fn jitter(mut self, jitter: f64) -> Result<Self, InvalidSetting> {
        if !(0.0..=1.0).contains(&jitter) {
            return Err(invalid("jitter", jitter, "must be from 0 to 1"));
        }
        self.jitter = jitter;
        Ok(self)
    }

    /// The delay before the `n`th new try; the first is 1. It can be added to any clock: before jitter it
    /// is at most about 30 years.
    #[must_use]
    pub fn delay(&self, n: u32, dice: &Dice) -> Duration {
        let grown = self
            .factor
            .powi(i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX));
        let cap = self.max.min(FAR).as_secs_f64();
        let base = (self.initial.as_secs_f64() * grown).min(cap);
        let spread = 1.0 + self.jitter * (2.0 * dice.fraction() - 1.0);
        Duration::from_secs_f64(base * spread)
    }

    /// The longest delay before jitter.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("backoff", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_grow_to_the_cap() {
        let backoff = Backoff::new(200 * MS, 2.0, 1_000 * MS)
            .unwrap()
            .jitter(0.0)
            .unwrap();
        let delays: Vec<_> = (1..=5).map(|n| backoff.delay(n, &Dice::new())).collect();
        assert_eq!(
            delays,
            [200 * MS, 400 * MS, 800 * MS, 1_000 * MS, 1_000 * MS]
        );
        assert_eq!(backoff.delay(u32::MAX, &Dice::new()), 1_000 * MS);
    }

    #[test]
    fn the_longest_delay_can_be_added_to_a_clock() {
        let backoff = Backoff::new(MS, 1e9, Duration::MAX).unwrap();
        let backoff = backoff.jitter(1.0).unwrap();
        let dice = Dice::seeded(1);
        let now = crate::clock::now();
        assert!((1..100).all(|n| now.checked_add(backoff.delay(n, &dice)).is_some()));
    }

    #[test]
    fn jitter_spreads_and_stays_in_its_bounds() {
        let dice = Dice::seeded(42);
        let delays: Vec<_> = (0..100)
            .map(|_| Backoff::default().delay(1, &dice))
            .collect();
        assert!(delays.iter().all(|d| (800 * MS..=1_200 * MS).contains(d)));
        let mut distinct = delays;
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 90);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refused = |backoff: Result<Backoff, InvalidSetting>| backoff.unwrap_err().to_string();
        assert!(refused(Backoff::new(Duration::ZERO, 2.0, MS)).contains("initial 0ns"));
        assert!(refused(Backoff::new(2 * MS, 2.0, MS)).contains("max 1ms"));
        assert!(refused(Backoff::new(MS, 0.5, MS)).contains("factor 0.5"));
        assert!(refused(Backoff::new(MS, f64::NAN, MS)).contains("factor NaN"));
        assert!(refused(Backoff::default().jitter(1.5)).contains("jitter 1.5"));
    }
}
