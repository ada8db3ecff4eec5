//! One rule, as the config center holds it.

use crate::coord::ConfigValue;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use ziggurat_core::{BoxError, InvalidSetting};
use ziggurat_limit::Rate;

/// A rate and a burst: `{"rate": 5, "capacity": 10, "description": ""}`.
///
/// The rate is above zero and at most a million calls a second, and a call comes in 30 days at least; the
/// capacity is from 1 to a million, and comes together again in a year.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rule {
    /// Calls a second.
    pub rate: f64,
    /// Calls at once.
    pub capacity: u32,
    /// For whoever reads it.
    #[serde(default)]
    pub description: String,
}

/// What a rule can have at most, as gochat has it.
const MOST: f64 = 1e6;
/// Rates are known to a thousandth of a call a second.
const PERIOD: Duration = Duration::from_secs(1_000);
const LONGEST: f64 = 30.0 * 86_400.0;

// === impl Rule ===

impl Rule {
    /// So many calls a second, and so many at once.
    #[must_use]
    pub const fn new(rate: f64, capacity: u32) -> Self {
        Self {
            rate,
            capacity,
            description: String::new(),
        }
    }

    /// The rate that it means.
    ///
    /// # Errors
    ///
    /// If it means none.
    pub fn to_rate(&self) -> Result<Rate, InvalidSetting> {
        let invalid = |field, value: &dyn std::fmt::Debug, rule| {
            Err(InvalidSetting::new("rate limit rule", field, value, rule))
        };
        // What is no number is neither.
        if !(self.rate > 0.0 && self.rate <= MOST) || 1.0 / self.rate > LONGEST {
            let rule = "must be above zero, one in 30 days, and at most 1,000,000";
            return invalid("rate", &self.rate, rule);
        }
        if self.capacity == 0 || f64::from(self.capacity) > MOST {
            let rule = "must be from 1 to 1,000,000";
            return invalid("capacity", &self.capacity, rule);
        }
        let rate = if self.rate >= 1.0 {
            let count = (self.rate * PERIOD.as_secs_f64()).round();
            Rate::new(count as u32, PERIOD)
        } else {
            Rate::new(1, Duration::from_secs_f64(1.0 / self.rate))
        };
        rate?.burst(self.capacity)
    }
}

impl ConfigValue for Rule {
    fn validate(&self) -> Result<(), BoxError> {
        self.to_rate()?;
        Ok(())
    }
}
