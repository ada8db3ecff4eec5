//! When an endpoint is ejected, and for how long.

use crate::{Detection, FailurePercentage, SuccessRate, outliers::Tally};
use std::{fmt, time::Duration};
use ziggurat_core::InvalidSetting;

/// When an endpoint is ejected, for how long, and how many may be.
///
/// # Defaults
///
/// | setting | default |
/// |---|---|
/// | [`failures`](Self::failures) in a row | 5 |
/// | [`timeouts`](Self::timeouts) in a row | 3 |
/// | [`ejection`](Self::ejection) | 10 s, at most 60 s |
/// | [`max_ejected_percent`](Self::max_ejected_percent) | 50 |
/// | [`probe_timeout`](Self::probe_timeout) | 5 s |
/// | [`interval`](Self::interval) | 10 s |
/// | [`success_rate`](Self::success_rate), [`failure_percentage`](Self::failure_percentage) | off |
///
/// gRPC and Envoy eject for 30 s to 300 s (gRFC A50), because theirs come back with all of their
/// traffic; here one call finds out first, so they may come back sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(crate) failures: u32,
    pub(crate) timeouts: u32,
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) max_ejected_percent: u8,
    pub(crate) probe_timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) success_rate: Option<SuccessRate>,
    pub(crate) failure_percentage: Option<FailurePercentage>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            failures: 5,
            timeouts: 3,
            base: Duration::from_secs(10),
            max: Duration::from_secs(60),
            max_ejected_percent: 50,
            probe_timeout: Duration::from_secs(5),
            interval: Duration::from_secs(10),
            success_rate: None,
            failure_percentage: None,
        }
    }

    /// What gRPC does by default once outlier detection is configured (gRFC A50): both comparisons
    /// every 10 s and nothing in a row, 30 s to 300 s, at most 10 % out.
    #[must_use]
    pub const fn grpc() -> Self {
        Self {
            failures: 0,
            timeouts: 0,
            base: Duration::from_secs(30),
            max: Duration::from_secs(300),
            max_ejected_percent: 10,
            success_rate: Some(SuccessRate::new()),
            failure_percentage: Some(FailurePercentage::new()),
            ..Self::new()
        }
    }

    /// Ejects after so many failures in a row, timeouts included; 0: never for that.
    #[must_use]
    pub const fn failures(mut self, in_a_row: u32) -> Self {
        self.failures = in_a_row;
        self
    }

    /// Ejects after so many timeouts in a row; 0: never for that.
    #[must_use]
    pub const fn timeouts(mut self, in_a_row: u32) -> Self {
        self.timeouts = in_a_row;
        self
    }

    /// Ejects for `base` the first time, for twice as long the second time in a row, and so on, up to
    /// `max`, each give or take a fifth.
    ///
    /// # Errors
    ///
    /// If `base` is zero or longer than `max`.
    pub fn ejection(mut self, base: Duration, max: Duration) -> Result<Self, InvalidSetting> {
        if base.is_zero() {
            return Err(invalid("ejection", base, "must be above zero"));
        }
        if base > max {
            let rule = "must not be longer than the longest";
            return Err(invalid("ejection", base, rule));
        }
        self.base = base;
        self.max = max;
        Ok(self)
    }

    /// Ejects only while no more than this part of the endpoints is out, those that are not connected
    /// included; of two or more, one may always be.
    ///
    /// # Errors
    ///
    /// If it is more than 100.
    pub fn max_ejected_percent(mut self, percent: u8) -> Result<Self, InvalidSetting> {
        if percent > 100 {
            let rule = "must be at most 100";
            return Err(invalid("max_ejected_percent", percent, rule));
        }
        self.max_ejected_percent = percent;
        Ok(self)
    }

    /// Waits so long for the end of a probe before another may go; a probe whose answer has begun by
    /// then is a stream, and a success. A probe that succeeds later still brings the endpoint back.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn probe_timeout(mut self, timeout: Duration) -> Result<Self, InvalidSetting> {
        if timeout.is_zero() {
            return Err(invalid("probe_timeout", timeout, "must be above zero"));
        }
        self.probe_timeout = timeout;
        Ok(self)
    }

    /// Compares the endpoints with each other this often, and takes an ejection off the count of those
    /// in a row for each such time that an endpoint does well.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn interval(mut self, interval: Duration) -> Result<Self, InvalidSetting> {
        if interval.is_zero() {
            return Err(invalid("interval", interval, "must be above zero"));
        }
        self.interval = interval;
        Ok(self)
    }

    /// Ejects who succeeds far less often than the others; `None`: nobody for that.
    #[must_use]
    pub const fn success_rate(mut self, detection: Option<SuccessRate>) -> Self {
        self.success_rate = detection;
        self
    }

    /// Ejects who fails too large a part of its calls; `None`: nobody for that.
    #[must_use]
    pub const fn failure_percentage(mut self, detection: Option<FailurePercentage>) -> Self {
        self.failure_percentage = detection;
        self
    }

    /// Is nobody ejected for anything?
    pub(crate) const fn ejects_nobody(&self) -> bool {
        self.failures == 0 && self.timeouts == 0 && !self.detects_outliers()
    }

    pub(crate) const fn detects_outliers(&self) -> bool {
        self.success_rate.is_some() || self.failure_percentage.is_some()
    }

    /// Who is an outlier by what, and how strictly that is to be taken.
    pub(crate) fn outliers(&self, tallies: &[Tally]) -> Vec<(Detection, u8, Vec<usize>)> {
        let by_rate = self.success_rate.map(|by| {
            let outliers = by.outliers(tallies);
            (Detection::SuccessRate, by.enforcement(), outliers)
        });
        let by_percentage = self.failure_percentage.map(|by| {
            let outliers = by.outliers(tallies);
            (Detection::FailurePercentage, by.enforcement(), outliers)
        });
        by_rate.into_iter().chain(by_percentage).collect()
    }

    /// May one more of `known` endpoints be ejected, when `out` of them serve nobody already?
    pub(crate) const fn has_room(&self, known: usize, out: usize) -> bool {
        let most = known.saturating_mul(self.max_ejected_percent as usize) / 100;
        // Of a single endpoint, a bad answer is better than none.
        let most = if known >= 2 && most == 0 { 1 } else { most };
        known >= 2 && out < most
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("health settings", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_some_but_never_for_the_last() {
        let settings = Settings::new();
        for (known, most) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)] {
            let ejected = (0..=known).take_while(|n| settings.has_room(known, *n));
            assert_eq!(ejected.count(), most, "of {known}");
        }
        let few = settings.max_ejected_percent(10).unwrap();
        assert!(few.has_room(3, 0) && !few.has_room(3, 1));
        let none = settings.max_ejected_percent(0).unwrap();
        assert!(none.has_room(2, 0), "one may always go");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        const SECOND: Duration = Duration::from_secs(1);
        let settings = Settings::new();
        for (refused, field, value) in [
            (settings.ejection(Duration::ZERO, SECOND), "ejection", "0ns"),
            (settings.ejection(2 * SECOND, SECOND), "ejection", "2s"),
            (
                settings.max_ejected_percent(101),
                "max_ejected_percent",
                "101",
            ),
            (
                settings.probe_timeout(Duration::ZERO),
                "probe_timeout",
                "0ns",
            ),
            (settings.interval(Duration::ZERO), "interval", "0ns"),
        ] {
            let error = refused.unwrap_err();
            assert_eq!((error.field(), error.value()), (field, value));
            assert!(error.to_string().starts_with("invalid health settings: "));
        }
    }
}
