//! What may be changed while calls run.

use crate::settings::Codes;
use std::{fmt, num::NonZeroU32, time::Duration};
use ziggurat_core::{Code, InvalidSetting};

/// Which calls are hedged, how often and how soon (gRFC A6, `hedgingPolicy`).
///
/// # Defaults
///
/// | knob | default |
/// |---|---|
/// | [`attempts`](Self::attempts) | 2, the first included |
/// | [`delay`](Self::delay) | the measured p95, from 2 ms to 500 ms |
/// | [`non_fatal`](Self::non_fatal) | UNAVAILABLE |
/// | [`methods`](Self::methods) | all |
/// | [`any_call`](Self::any_call) | no |
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(super) attempts: u32,
    pub(super) delay: Delay,
    pub(super) codes: Codes,
    pub(super) methods: Option<fn(&str) -> bool>,
    pub(super) any_call: bool,
}

/// How long the answer may be out before the call is made once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delay {
    /// This long. Zero: all attempts at once.
    Fixed(Duration),
    /// As long as so many percent of the method's first attempts take for the head of their answer.
    /// `max` before 100 of them were seen.
    Measured {
        /// Such as 95: of a hundred calls about five are hedged.
        percent: u8,
        /// Not less than this.
        min: Duration,
        /// Not more than this.
        max: Duration,
    },
}

/// No setting allows more attempts, whoever wrote it (gRFC A6).
pub(super) const MOST_ATTEMPTS: usize = 5;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts: 2,
            delay: Delay::Measured {
                percent: 95,
                min: Duration::from_millis(2),
                max: Duration::from_millis(500),
            },
            codes: Codes::EMPTY.with(Code::Unavailable),
            methods: None,
            any_call: false,
        }
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No call is hedged.
    #[must_use]
    pub fn off() -> Self {
        Self::new().attempts(NonZeroU32::MIN)
    }

    /// How often a call is made at most, the first time included. More than 5 count as 5; 1 is
    /// [`off`](Self::off).
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        let (attempts, most) = (attempts.get(), MOST_ATTEMPTS as u32);
        self.attempts = if attempts < most { attempts } else { most };
        self
    }

    /// How long the answer may be out before the call is made once more.
    ///
    /// # Errors
    ///
    /// If what is measured is not from 50 to 99 percent, or `min` is zero or above `max`.
    pub fn delay(mut self, delay: Delay) -> Result<Self, InvalidSetting> {
        if let Delay::Measured { percent, min, max } = delay {
            if !(50..=99).contains(&percent) {
                return Err(invalid("delay", delay, "must be from 50 to 99 percent"));
            }
            if min.is_zero() || min > max {
                return Err(invalid("delay", delay, "must have 0 < min <= max"));
            }
        }
        self.delay = delay;
        Ok(self)
    }

    /// After which codes the other attempts go on and the next is made, instead of UNAVAILABLE alone;
    /// gRPC's `nonFatalStatusCodes`. There may be none.
    ///
    /// # Errors
    ///
    /// If OK is among them.
    pub fn non_fatal(
        mut self,
        codes: impl IntoIterator<Item = Code>,
    ) -> Result<Self, InvalidSetting> {
        self.codes = codes.into_iter().fold(Codes::EMPTY, Codes::with);
        if self.codes.contains(Code::Ok) {
            return Err(invalid("non_fatal", self.codes, "must name failures"));
        }
        Ok(self)
    }

    /// Which methods (`/package.Service/Method`, or the path of any HTTP request) are hedged, of calls
    /// that may be made twice. Plain values have none, and are not left out.
    ///
    /// Settings of their own for each method are data:
    /// [`HedgeLayer::by_method`](super::HedgeLayer::by_method).
    #[must_use]
    pub const fn methods(mut self, methods: fn(&str) -> bool) -> Self {
        self.methods = Some(methods);
        self
    }

    /// Whether a call that says nothing about itself is hedged, too: with [`methods`](Self::methods)
    /// it is what a `hedgingPolicy` of gRPC is for these.
    ///
    /// A call that says of itself that it must not be made twice never is.
    #[must_use]
    pub const fn any_call(mut self, any: bool) -> Self {
        self.any_call = any;
        self
    }

    /// Is a call of this method hedged, if it may be made twice?
    pub(super) fn covers(&self, method: Option<&str>) -> bool {
        match (self.methods, method) {
            _ if self.attempts < 2 => false,
            (Some(known), Some(method)) => known(method),
            _ => true,
        }
    }
}

// === impl Delay ===

impl Delay {
    /// What is measured, in thousandths of the answers.
    pub(super) fn permille(self) -> Option<u32> {
        match self {
            Self::Fixed(_) => None,
            Self::Measured { percent, .. } => Some(u32::from(percent) * 10),
        }
    }

    /// The delay, by what was measured so far.
    pub(super) fn after(self, measured: Option<Duration>) -> Duration {
        match self {
            Self::Fixed(delay) => delay,
            Self::Measured { min, max, .. } => measured.map_or(max, |took| took.clamp(min, max)),
        }
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("hedge settings", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nobody_gets_more_than_five_attempts() {
        for (asked, given) in [(1, 1), (2, 2), (5, 5), (6, 5), (u32::MAX, 5)] {
            let asked = NonZeroU32::new(asked).unwrap();
            assert_eq!(Settings::new().attempts(asked).attempts, given);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refused =
            |settings: Result<Settings, InvalidSetting>| settings.unwrap_err().to_string();
        for (percent, min, max) in [(49, 1, 2), (100, 1, 2), (95, 0, 2), (95, 3, 2)] {
            let (min, max) = (min * MS, max * MS);
            let delay = Delay::Measured { percent, min, max };
            assert!(refused(Settings::new().delay(delay)).contains("hedge settings"));
        }
        let codes = [Code::Ok, Code::Aborted];
        assert!(refused(Settings::new().non_fatal(codes)).contains("non_fatal {Ok, Aborted}"));
        assert!(Settings::new().non_fatal([]).is_ok());
    }

    #[test]
    fn the_delay_follows_what_is_measured_within_bounds() {
        let (min, max) = (10 * MS, 100 * MS);
        let percent = 95;
        let delay = Delay::Measured { percent, min, max };
        for (measured, after) in [
            (None, max),
            (Some(MS), min),
            (Some(50 * MS), 50 * MS),
            (Some(900 * MS), max),
        ] {
            assert_eq!(delay.after(measured), after);
        }
        assert_eq!(Delay::Fixed(MS).after(Some(max)), MS);
    }
}
