//! Who is an outlier among the endpoints of a service: the two algorithms of gRFC A50, on numbers.
//!
//! Differences to the text of A50: what counts as a success is what the stack's `Classify` says, not
//! the status `OK` alone; who is out already is not judged once more; and the part of the endpoints
//! that may be out is one that the last of them does not exceed, except by being the only one.

use ziggurat_core::InvalidSetting;

/// Ejects who succeeds far less often than the others (gRFC A50, `success_rate_ejection`).
///
/// In each interval: of the endpoints with at least [`request_volume`](Self::request_volume) calls,
/// if they are at least [`minimum_hosts`](Self::minimum_hosts), goes whose share of successes is
/// below `mean - stdev * stdev_factor / 1000`, by the standard deviation of the whole population.
///
/// Where nearly all calls succeed the deviation is tiny, and a single failure can be an outlier.
///
/// # Defaults
///
/// Factor 1900 (1.9 deviations), enforced in 100 % of the cases, 5 hosts, 100 requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    stdev_factor: u32,
    common: Common,
}

/// Ejects who fails too large a part of its calls (gRFC A50, `failure_percentage_ejection`).
///
/// In each interval: of the endpoints with at least [`request_volume`](Self::request_volume) calls,
/// if they are at least [`minimum_hosts`](Self::minimum_hosts), goes whose percentage of failures is
/// above the [`threshold`](Self::threshold).
///
/// # Defaults
///
/// Threshold 85 %, enforced in 100 % of the cases, 5 hosts, 50 requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    threshold: u8,
    common: Common,
}

/// Which comparison with the others found an endpoint to be an outlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detection {
    /// See [`SuccessRate`].
    SuccessRate,
    /// See [`FailurePercentage`].
    FailurePercentage,
}

/// How the calls to one endpoint ended within one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Common {
    enforcement_percentage: u8,
    minimum_hosts: u32,
    request_volume: u32,
}

macro_rules! common_knobs {
    ($of:literal) => {
        /// Ejects in so many of 100 cases; 0 finds, and ejects nobody.
        ///
        /// # Errors
        ///
        /// If it is more than 100.
        pub fn enforcement_percentage(mut self, percent: u8) -> Result<Self, InvalidSetting> {
            self.common.enforcement_percentage =
                percentage($of, "enforcement_percentage", percent)?;
            Ok(self)
        }

        /// Compares only if so many endpoints have enough calls.
        #[must_use]
        pub const fn minimum_hosts(mut self, hosts: u32) -> Self {
            self.common.minimum_hosts = hosts;
            self
        }

        /// Looks at endpoints with so many calls in the interval.
        #[must_use]
        pub const fn request_volume(mut self, requests: u32) -> Self {
            self.common.request_volume = requests;
            self
        }
    };
}

// === impl SuccessRate ===

impl Default for SuccessRate {
    fn default() -> Self {
        Self::new()
    }
}

impl SuccessRate {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stdev_factor: 1_900,
            common: Common::new(100),
        }
    }

    /// Tolerates so many thousandths of a standard deviation below the mean.
    #[must_use]
    pub const fn stdev_factor(mut self, thousandths: u32) -> Self {
        self.stdev_factor = thousandths;
        self
    }

    common_knobs!("success rate");

    pub(crate) const fn enforcement(&self) -> u8 {
        self.common.enforcement_percentage
    }

    /// The indices of those that are outliers.
    pub(crate) fn outliers(&self, tallies: &[Tally]) -> Vec<usize> {
        let rated = self.common.rated(tallies);
        let count = rated.len() as f64;
        let mean = rated.iter().map(|(_, rate)| rate).sum::<f64>() / count;
        let squares = rated.iter().map(|(_, rate)| (rate - mean).powi(2));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        let required = mean - deviation * f64::from(self.stdev_factor) / 1_000.0;
        indices(rated, |rate| rate < required)
    }
}

// === impl FailurePercentage ===

impl Default for FailurePercentage {
    fn default() -> Self {
        Self::new()
    }
}

impl FailurePercentage {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            threshold: 85,
            common: Common::new(50),
        }
    }

    /// Tolerates so many failures of 100 calls.
    ///
    /// # Errors
    ///
    /// If it is more than 100.
    pub fn threshold(mut self, percent: u8) -> Result<Self, InvalidSetting> {
        self.threshold = percentage("failure percentage", "threshold", percent)?;
        Ok(self)
    }

    common_knobs!("failure percentage");

    pub(crate) const fn enforcement(&self) -> u8 {
        self.common.enforcement_percentage
    }

    /// The indices of those that are outliers.
    pub(crate) fn outliers(&self, tallies: &[Tally]) -> Vec<usize> {
        let most = f64::from(self.threshold);
        let fails = |tally: &Tally| tally.failures as f64 * 100.0 > most * tally.total() as f64;
        let rated = self.common.rated(tallies).into_iter();
        let out = rated.map(|(index, _)| index);
        out.filter(|index| fails(&tallies[*index])).collect()
    }
}

// === impl Tally ===

impl Tally {
    pub(crate) const fn total(&self) -> u64 {
        self.successes + self.failures
    }
}

// === impl Common ===

impl Common {
    const fn new(request_volume: u32) -> Self {
        Self {
            enforcement_percentage: 100,
            minimum_hosts: 5,
            request_volume,
        }
    }

    /// Who is to be compared, with the share of its successes; nobody if they are too few.
    fn rated(&self, tallies: &[Tally]) -> Vec<(usize, f64)> {
        // Of no calls at all there is no share.
        let volume = u64::from(self.request_volume.max(1));
        let rate = |tally: &Tally| tally.successes as f64 / tally.total() as f64;
        let enough = tallies.iter().enumerate();
        let enough = enough.filter(|(_, tally)| tally.total() >= volume);
        let rated: Vec<_> = enough.map(|(index, tally)| (index, rate(tally))).collect();
        if rated.len() < self.minimum_hosts as usize {
            return Vec::new();
        }
        rated
    }
}

fn indices(rated: Vec<(usize, f64)>, is_out: impl Fn(f64) -> bool) -> Vec<usize> {
    let out = rated.into_iter().filter(|(_, rate)| is_out(*rate));
    out.map(|(index, _)| index).collect()
}

fn percentage(of: &'static str, field: &'static str, percent: u8) -> Result<u8, InvalidSetting> {
    if percent > 100 {
        let rule = "must be at most 100";
        return Err(InvalidSetting::new(of, field, percent, rule));
    }
    Ok(percent)
}

#[cfg(test)]
mod tests;
