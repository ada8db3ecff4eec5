//! How what endpoints say of their load becomes what they weigh.

use crate::settings::nanos;
use std::time::Duration;
use ziggurat_core::InvalidSetting;

/// How the [`LoadReport`](crate::LoadReport)s of endpoints become their weights (gRFC A58).
///
/// # Defaults
///
/// | setting | default |
/// |---|---|
/// | [`blackout_period`](Self::blackout_period) | 10 s |
/// | [`weight_expiration_period`](Self::weight_expiration_period) | 3 min |
/// | [`weight_update_period`](Self::weight_update_period) | 1 s |
/// | [`error_utilization_penalty`](Self::error_utilization_penalty) | 1 |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadReports {
    /// Nanoseconds, as are the times of reports.
    blackout: u64,
    expiration: u64,
    update: Duration,
    penalty: f64,
}

/// Weights that change more often than this are worth less than they cost (gRFC A58).
const SHORTEST_UPDATE: Duration = Duration::from_millis(100);

// === impl LoadReports ===

impl Default for LoadReports {
    fn default() -> Self {
        Self::new()
    }
}

impl LoadReports {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            blackout: nanos(Duration::from_secs(10)),
            expiration: nanos(Duration::from_secs(180)),
            update: Duration::from_secs(1),
            penalty: 1.0,
        }
    }

    /// Sets for how long an endpoint must have reported before its weight counts: after its first
    /// report, after it was down or ejected or had left, and after its weight had expired.
    #[must_use]
    pub const fn blackout_period(mut self, period: Duration) -> Self {
        self.blackout = nanos(period);
        self
    }

    /// Sets how long a weight counts after the report that it comes from.
    #[must_use]
    pub const fn weight_expiration_period(mut self, period: Duration) -> Self {
        self.expiration = nanos(period);
        self
    }

    /// Sets how often calls are shared out anew.
    ///
    /// # Errors
    ///
    /// If it is less than 100 ms.
    pub fn weight_update_period(mut self, period: Duration) -> Result<Self, InvalidSetting> {
        if period < SHORTEST_UPDATE {
            let rule = "must be at least 100 ms";
            return Err(InvalidSetting::new(
                "load reports",
                "weight_update_period",
                period,
                rule,
            ));
        }
        self.update = period;
        Ok(self)
    }

    /// Sets how much an endpoint that fails every call seems to be used beyond what it says; zero: its
    /// failures do not count.
    ///
    /// # Errors
    ///
    /// If it is negative or not finite.
    pub fn error_utilization_penalty(mut self, penalty: f64) -> Result<Self, InvalidSetting> {
        if !(penalty.is_finite() && penalty >= 0.0) {
            let rule = "must be finite, and not negative";
            return Err(InvalidSetting::new(
                "load reports",
                "error_utilization_penalty",
                penalty,
                rule,
            ));
        }
        self.penalty = penalty;
        Ok(self)
    }

    pub(crate) const fn blackout(&self) -> u64 {
        self.blackout
    }

    pub(crate) const fn expiration(&self) -> u64 {
        self.expiration
    }

    pub(crate) const fn update(&self) -> Duration {
        self.update
    }

    pub(crate) const fn penalty(&self) -> f64 {
        self.penalty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_work_is_refused_by_name() {
        let reports = LoadReports::new();
        let refused = [
            reports.weight_update_period(Duration::from_millis(99)),
            reports.error_utilization_penalty(-0.1),
            reports.error_utilization_penalty(f64::NAN),
            reports.error_utilization_penalty(f64::INFINITY),
        ];
        let fields = refused.map(|refused| refused.unwrap_err().field());
        let penalty = "error_utilization_penalty";
        assert_eq!(fields, ["weight_update_period", penalty, penalty, penalty]);
        assert!(reports.weight_update_period(SHORTEST_UPDATE).is_ok());
        assert!(reports.error_utilization_penalty(0.0).is_ok());
    }
}
