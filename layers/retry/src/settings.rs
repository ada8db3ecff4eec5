//! What may be changed while calls run.

use crate::Rules;
use std::{fmt, num::NonZeroU32, time::Duration};
use ziggurat_core::{Backoff, Code, InvalidSetting};

/// What is tried again, how often, how soon and how much of it.
///
/// # Defaults
///
/// | knob | default |
/// |---|---|
/// | [`attempts`](Self::attempts) | 3, the first included |
/// | [`backoff`](Self::backoff) | 25 ms, times 2, up to 1 s, 20 % either way |
/// | [`retry_on`](Self::retry_on) | UNAVAILABLE |
/// | [`budget`](Self::budget) | 0.2 of a retry for every call, 10 for every second |
/// | [`rules`](Self::rules) | those of the budget, and no bound on what is in flight |
/// | [`replay_limit`](Self::replay_limit) | 256 KiB, as grpc-go's |
/// | [`replay_total`](Self::replay_total) | 64 MiB |
/// | [`attempt_timeout`](Self::attempt_timeout) | ten times the measured p99, at least 50 ms |
/// | [`enforce_deadline`](Self::enforce_deadline) | yes |
/// | [`assume_idempotent`](Self::assume_idempotent) | no |
/// | [`idempotent_paths`](Self::idempotent_paths) | none |
/// | [`chain_stop`](Self::chain_stop) | yes |
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(crate) attempts: u32,
    pub(crate) backoff: Backoff,
    pub(crate) codes: Codes,
    pub(crate) rules: Rules,
    pub(crate) replay_limit: usize,
    pub(crate) replay_total: usize,
    pub(crate) attempt_timeout: AttemptTimeout,
    pub(crate) enforce_deadline: bool,
    pub(crate) assume_idempotent: bool,
    pub(crate) idempotent_paths: Option<fn(&str) -> bool>,
    pub(crate) chain_stop: bool,
}

/// How long one attempt may wait for the head of its answer.
///
/// Cutting an attempt short is of use only if another may follow, and that is known only of calls
/// that are idempotent: all others, and the last attempt, may take all that is left of the call's
/// deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptTimeout {
    /// As long as the call.
    Off,
    /// This long, for every attempt, whether or not another can follow.
    Fixed(Duration),
    /// A multiple of the 99th percentile of the method's answers, and not less than a floor; a
    /// third of the call's deadline at most, and exactly that before 100 answers were seen.
    Measured {
        /// How many times the 99th percentile.
        multiple: u32,
        /// Not less than this.
        floor: Duration,
    },
}

/// A set of status codes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Codes(u32);

/// No setting allows more attempts, whoever wrote it (gRFC A6).
const MOST_ATTEMPTS: u32 = 5;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        let (initial, max) = (Duration::from_millis(25), Duration::from_secs(1));
        Self {
            attempts: 3,
            backoff: Backoff::new(initial, 2.0, max).expect("25 ms is above zero and below 1 s"),
            codes: Codes::EMPTY.with(Code::Unavailable),
            rules: Rules::default(),
            replay_limit: 256 * 1_024,
            replay_total: 64 * 1_024 * 1_024,
            attempt_timeout: AttemptTimeout::Measured {
                // A server that is ten times slower than usual is slow, not broken: cut short, its
                // calls would be done twice, and the others would have to do them.
                multiple: 10,
                floor: Duration::from_millis(50),
            },
            enforce_deadline: true,
            assume_idempotent: false,
            idempotent_paths: None,
            chain_stop: true,
        }
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a call is made at most, the first time included. More than 5 count as 5.
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        let attempts = attempts.get();
        self.attempts = if attempts < MOST_ATTEMPTS {
            attempts
        } else {
            MOST_ATTEMPTS
        };
        self
    }

    /// How long to wait before the next attempt, where the server does not say.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Which codes are tried again, instead of UNAVAILABLE alone.
    ///
    /// RESOURCE_EXHAUSTED is also tried again when the server says how long to wait.
    ///
    /// # Errors
    ///
    /// If there are none, or OK is among them.
    pub fn retry_on(
        mut self,
        codes: impl IntoIterator<Item = Code>,
    ) -> Result<Self, InvalidSetting> {
        self.codes = codes.into_iter().fold(Codes::EMPTY, Codes::with);
        if self.codes == Codes::EMPTY || self.codes.contains(Code::Ok) {
            let (value, rule) = (self.codes, "must name failures, and at least one");
            return Err(invalid("retry_on", value, rule));
        }
        Ok(self)
    }

    /// How many retries all calls of the layer may make together: so many for every call, and so
    /// many for every second. Short for [`Rules::ratio`].
    ///
    /// # Errors
    ///
    /// If `per_call` is not from 0 to 4, or `per_second` above 5000.
    pub fn budget(self, per_call: f64, per_second: u32) -> Result<Self, InvalidSetting> {
        Ok(self.rules(Rules::ratio(per_call, per_second)?))
    }

    /// How many retries all calls of the layer may make together.
    #[must_use]
    pub const fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// How many bytes of a request's body are kept for the next attempt. A request whose body is
    /// longer is not tried again. A frame of less than 64 bytes counts as 64.
    #[must_use]
    pub const fn replay_limit(mut self, bytes: usize) -> Self {
        self.replay_limit = bytes;
        self
    }

    /// How many bytes of bodies all calls of the layer may keep together, beyond the first KiB of
    /// each. While they do, a call that has more to keep is not tried again.
    #[must_use]
    pub const fn replay_total(mut self, bytes: usize) -> Self {
        self.replay_total = bytes;
        self
    }

    /// How long one attempt may wait for the head of its answer.
    ///
    /// # Errors
    ///
    /// If it is zero, or no multiple.
    pub fn attempt_timeout(mut self, timeout: AttemptTimeout) -> Result<Self, InvalidSetting> {
        let works = match timeout {
            AttemptTimeout::Off => true,
            AttemptTimeout::Fixed(timeout) => !timeout.is_zero(),
            AttemptTimeout::Measured { multiple, floor } => multiple > 0 && !floor.is_zero(),
        };
        if !works {
            let rule = "must not be zero";
            return Err(invalid("attempt_timeout", timeout, rule));
        }
        self.attempt_timeout = timeout;
        Ok(self)
    }

    /// Whether the layer itself ends a call at its deadline. Not needed where a deadline layer
    /// stands outside, and without it most calls need no timer.
    #[must_use]
    pub const fn enforce_deadline(mut self, enforce: bool) -> Self {
        self.enforce_deadline = enforce;
        self
    }

    /// Whether a call that says nothing about itself may be made twice.
    ///
    /// HTTP methods that are idempotent by definition always may.
    #[must_use]
    pub const fn assume_idempotent(mut self, idempotent: bool) -> Self {
        self.assume_idempotent = idempotent;
        self
    }

    /// Which paths (`/package.Service/Method`) may be requested twice, where the call says nothing
    /// about itself.
    #[must_use]
    pub const fn idempotent_paths(mut self, paths: fn(&str) -> bool) -> Self {
        self.idempotent_paths = Some(paths);
        self
    }

    /// Whether a call that is made to serve another one's further attempt is made once only: see
    /// [`chain`](crate::chain).
    #[must_use]
    pub const fn chain_stop(mut self, stop: bool) -> Self {
        self.chain_stop = stop;
        self
    }
}

// === impl Codes ===

impl Codes {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) const fn with(self, code: Code) -> Self {
        Self(self.0 | 1 << code.number())
    }

    pub(crate) const fn contains(self, code: Code) -> bool {
        self.0 & 1 << code.number() != 0
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes = (0..u32::BITS).filter_map(Code::from_number);
        let named = codes.filter(|code| self.contains(*code));
        f.debug_set().entries(named).finish()
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("retry settings", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_what_is_written() {
        let settings = Settings::new();
        let steady = settings.backoff.jitter(0.0).unwrap();
        let delays = [1, 2, 3, 9].map(|n| steady.delay(n, &ziggurat_core::Dice::new()).as_millis());
        assert_eq!(delays, [25, 50, 100, 1_000]);
        assert_eq!(settings.attempts, 3);
        assert!(settings.codes.contains(Code::Unavailable));
        assert!(!settings.codes.contains(Code::Cancelled));
    }

    #[test]
    fn nobody_gets_more_than_five_attempts() {
        for (asked, given) in [(1, 1), (4, 4), (5, 5), (6, 5), (u32::MAX, 5)] {
            let asked = NonZeroU32::new(asked).unwrap();
            assert_eq!(Settings::new().attempts(asked).attempts, given);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let settings = Settings::new();
        let refused =
            |settings: Result<Settings, InvalidSetting>| settings.unwrap_err().to_string();
        assert!(refused(settings.retry_on([])).contains("retry_on {}"));
        let with_ok = refused(settings.retry_on([Code::Aborted, Code::Ok]));
        assert!(with_ok.contains("retry_on {Ok, Aborted}"), "{with_ok}");
        let zero = Duration::ZERO;
        for timeout in [
            AttemptTimeout::Fixed(zero),
            AttemptTimeout::Measured {
                multiple: 3,
                floor: zero,
            },
            AttemptTimeout::Measured {
                multiple: 0,
                floor: Duration::from_millis(1),
            },
        ] {
            assert!(refused(settings.attempt_timeout(timeout)).contains("attempt_timeout"));
        }
    }
}
