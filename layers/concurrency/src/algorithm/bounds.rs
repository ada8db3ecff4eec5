//! The limits between which an algorithm stays.

use crate::settings::check;
use ziggurat_core::InvalidSetting;

/// The least, the first and the most; and the present, in fractions that add up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    min: u32,
    max: u32,
    present: f64,
}

const MOST: u32 = 1_000_000;

// === impl Bounds ===

impl Bounds {
    pub(super) const fn new(min: u32, initial: u32, max: u32) -> Self {
        Self {
            min,
            max,
            present: initial as f64,
        }
    }

    pub(super) fn checked(min: u32, initial: u32, max: u32) -> Result<Self, InvalidSetting> {
        check(
            (1..=MOST).contains(&min),
            "min",
            min,
            "must be from 1 to 1000000",
        )?;
        check(
            (min..=MOST).contains(&max),
            "max",
            max,
            "must be from min to 1000000",
        )?;
        let rule = "must be from min to max";
        check((min..=max).contains(&initial), "initial", initial, rule)?;
        Ok(Self::new(min, initial, max))
    }

    pub(super) const fn get(&self) -> f64 {
        self.present
    }

    /// Never NaN: what compares with nothing is the least.
    pub(super) fn set(&mut self, limit: f64) {
        self.present = limit.max(self.min.into()).min(self.max.into());
    }

    pub(super) const fn limit(&self) -> u32 {
        self.present as u32
    }

    /// A whole limit between the bounds, for once.
    pub(super) fn clamp(&self, limit: f64) -> u32 {
        (limit as u32).clamp(self.min, self.max)
    }
}
