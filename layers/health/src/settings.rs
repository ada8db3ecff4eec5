//! When an endpoint is ejected, and for how long.

use std::{error::Error, fmt, time::Duration};

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
}

/// Settings that make no sense: the setting, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSettings {
    setting: &'static str,
    rule: &'static str,
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
    pub const fn ejection(
        mut self,
        base: Duration,
        max: Duration,
    ) -> Result<Self, InvalidSettings> {
        if base.is_zero() {
            return Err(InvalidSettings::new("base ejection", "must not be zero"));
        }
        if base.as_nanos() > max.as_nanos() {
            return Err(InvalidSettings::new(
                "base ejection",
                "must not be longer than the longest",
            ));
        }
        self.base = base;
        self.max = max;
        Ok(self)
    }

    /// Ejects no more than this part of the endpoints; of two or more, one may always be.
    ///
    /// # Errors
    ///
    /// If it is more than 100.
    pub const fn max_ejected_percent(mut self, percent: u8) -> Result<Self, InvalidSettings> {
        if percent > 100 {
            let rule = "must not be more than 100";
            return Err(InvalidSettings::new("max ejected percent", rule));
        }
        self.max_ejected_percent = percent;
        Ok(self)
    }

    /// Waits so long for the end of a probe before another may go; a probe whose answer has begun by
    /// then is a stream, and a success.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub const fn probe_timeout(mut self, timeout: Duration) -> Result<Self, InvalidSettings> {
        if timeout.is_zero() {
            return Err(InvalidSettings::new("probe timeout", "must not be zero"));
        }
        self.probe_timeout = timeout;
        Ok(self)
    }

    /// May one more of `known` endpoints be ejected, when `ejected` of them are?
    pub(crate) const fn has_room(&self, known: usize, ejected: usize) -> bool {
        let most = known.saturating_mul(self.max_ejected_percent as usize) / 100;
        // Of a single endpoint, a bad answer is better than none.
        let most = if known >= 2 && most == 0 { 1 } else { most };
        known >= 2 && ejected < most
    }
}

// === impl InvalidSettings ===

impl InvalidSettings {
    const fn new(setting: &'static str, rule: &'static str) -> Self {
        Self { setting, rule }
    }

    /// The setting that makes no sense.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, rule } = self;
        write!(f, "invalid health settings: {setting} {rule}")
    }
}

impl Error for InvalidSettings {}
