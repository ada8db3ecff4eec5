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
/// | [`at_most`](Self::at_most) | 4 |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadReports {
    /// Nanoseconds, as are the times of reports.
    blackout: u64,
    expiration: u64,
    update: Duration,
    penalty: f64,
    most: f64,
}

/// Weights that change more often than this are worth less than they cost (gRFC A58).
const SHORTEST_UPDATE: Duration = Duration::from_millis(100);

/// More than any server has over another.
const MOST: f64 = 1_000.0;

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
            most: 4.0,
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

    /// Sets how many times as many calls an endpoint gets at most as the median one does, of two as the
    /// other, whatever it reports.
    ///
    /// gRFC A58 knows no bound, but a report is a peer's word: one endpoint that lies, or is idle and
    /// divides by next to nothing, would get nearly all calls. Of `n` endpoints that otherwise are alike
    /// it gets `most / (n - 1 + most)` of them. Set more where servers differ by more than this.
    ///
    /// # Errors
    ///
    /// If it is below 1 or above 1000.
    pub fn at_most(mut self, most: f64) -> Result<Self, InvalidSetting> {
        if !(1.0..=MOST).contains(&most) {
            let rule = "must be from 1 to 1000";
            return Err(InvalidSetting::new("load reports", "at_most", most, rule));
        }
        self.most = most;
        Ok(self)
    }

    pub(crate) const fn most(&self) -> f64 {
        self.most
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
            reports.at_most(0.9),
            reports.at_most(f64::NAN),
            reports.at_most(1_000.1),
        ];
        let fields = refused.map(|refused| refused.unwrap_err().field());
        let penalty = "error_utilization_penalty";
        let most = "at_most";
        assert_eq!(
            fields,
            [
                "weight_update_period",
                penalty,
                penalty,
                penalty,
                most,
                most,
                most
            ]
        );
        assert!(reports.at_most(1.0).is_ok());
        assert!(reports.weight_update_period(SHORTEST_UPDATE).is_ok());
        assert!(reports.error_utilization_penalty(0.0).is_ok());
    }
}
