//! How many calls, how often.

use crate::gcra::TICKS;
use std::{fmt, time::Duration};
use ziggurat_core::InvalidSetting;

/// So many calls in so much time, and how many of them may come at once.
///
/// In any time `t` no more than `burst + rate * t` calls are admitted, whatever their pattern.
///
/// # Defaults
///
/// The burst is what one second brings, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
    burst: u32,
    /// Between two calls at this rate, in ticks.
    interval: u64,
}

const LONGEST: Duration = Duration::from_secs(30 * 86_400);
const SECOND_NANOS: u128 = 1_000_000_000;

// === impl Rate ===

impl Rate {
    /// So many calls a second.
    ///
    /// # Errors
    ///
    /// If it is zero or above 1,000,000,000.
    pub fn per_second(count: u32) -> Result<Self, InvalidSetting> {
        Self::new(count, Duration::from_secs(1))
    }

    /// So many calls in `per`.
    ///
    /// # Errors
    ///
    /// If either is zero, `per` is above 30 days, or it is more than a call a nanosecond.
    pub fn new(count: u32, per: Duration) -> Result<Self, InvalidSetting> {
        if count == 0 {
            return Err(invalid("count", count, "must be above zero"));
        }
        if per.is_zero() || per > LONGEST {
            let rule = "must be above zero and at most 30 days";
            return Err(invalid("per", per, rule));
        }
        let nanos = per.as_nanos();
        if nanos < u128::from(count) {
            let rule = "must be at most one call a nanosecond";
            return Err(invalid("count", count, rule));
        }
        // Rounded up, so that the rate is never exceeded.
        let interval = (nanos * u128::from(TICKS)).div_ceil(count.into());
        let second = u128::from(count) * SECOND_NANOS / nanos;
        Ok(Self {
            count,
            per,
            burst: u32::try_from(second).unwrap_or(u32::MAX).max(1),
            interval: u64::try_from(interval).unwrap_or(u64::MAX),
        })
    }

    /// So many calls may come at once, after a time without any.
    ///
    /// # Errors
    ///
    /// If it is zero, or takes more than a year to come together again.
    pub fn burst(mut self, burst: u32) -> Result<Self, InvalidSetting> {
        const YEAR_TICKS: u128 = 365 * 86_400 * SECOND_NANOS * TICKS as u128;
        if burst == 0 {
            return Err(invalid("burst", burst, "must be above zero"));
        }
        if u128::from(self.interval) * u128::from(burst) > YEAR_TICKS {
            let rule = "must come together again in a year";
            return Err(invalid("burst", burst, rule));
        }
        self.burst = burst;
        Ok(self)
    }

    /// How many calls come in a [`period`](Self::period).
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The time in which [`count`](Self::count) calls come.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.per
    }

    /// How many calls may come at once.
    #[must_use]
    pub const fn at_once(&self) -> u32 {
        self.burst
    }

    /// Between two calls, in ticks.
    pub(crate) const fn interval(&self) -> u64 {
        self.interval
    }

    /// How far the theoretical arrival time may be ahead, after a call.
    pub(crate) const fn window(&self) -> u64 {
        self.interval * self.burst as u64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count, per, burst, ..
        } = self;
        write!(f, "{count} per {per:?}, {burst} at once")
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("rate", field, value, rule)
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn the_default_burst_is_what_a_second_brings() {
        for (count, per, burst) in [(10, 1, 10), (600, 60, 10), (1, 60, 1), (100, 60, 1)] {
            let rate = Rate::new(count, Duration::from_secs(per)).unwrap();
            assert_eq!(rate.burst, burst, "{rate}");
        }
        assert_eq!(Rate::per_second(1_000_000_000).unwrap().interval, TICKS);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let daily = Rate::new(1, DAY).unwrap();
        for (refused, field, value) in [
            (Rate::per_second(0), "count", "0"),
            (Rate::per_second(u32::MAX), "count", "4294967295"),
            (Rate::new(1, Duration::ZERO), "per", "0ns"),
            (Rate::new(1, Duration::MAX), "per", "s"),
            (Rate::new(2, Duration::from_nanos(1)), "count", "2"),
            (daily.burst(0), "burst", "0"),
            (daily.burst(366), "burst", "366"),
            (daily.burst(u32::MAX), "burst", "4294967295"),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.field(), field);
            assert!(error.value().contains(value), "{error}");
            assert!(error.to_string().contains(error.rule()), "{error}");
        }
        assert!(daily.burst(365).is_ok());
    }
}
