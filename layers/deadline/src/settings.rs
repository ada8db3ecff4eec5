//! How long calls may take.

use std::time::Duration;
use ziggurat_core::InvalidSetting;

/// How long calls may take; a [`Live`](ziggurat_core::Live) value, so that it may change while
/// calls run. A call keeps what was in force when it began.
///
/// # Defaults
///
/// No timeout, no maximum; a margin of 1 ms for a server and of none for a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    timeout: Option<Duration>,
    max: Option<Duration>,
    margin: Option<Duration>,
}

// === impl Settings ===

impl Settings {
    /// A call that nobody gave a deadline takes at most `timeout`.
    ///
    /// One that was given a deadline keeps it, be it later: a caller who asks for an hour gets an
    /// hour, unless [`at_most`](Self::at_most) says less.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn new(timeout: Duration) -> Result<Self, InvalidSetting> {
        if timeout.is_zero() {
            return Err(invalid("timeout", timeout, "must be above zero"));
        }
        let mut settings = Self::unbounded();
        settings.timeout = Some(timeout);
        Ok(settings)
    }

    /// A call that nobody gave a deadline has none.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            timeout: None,
            max: None,
            margin: None,
        }
    }

    /// No call takes longer than `max`, whatever was asked for.
    ///
    /// # Errors
    ///
    /// If it is zero, or shorter than the timeout.
    pub fn at_most(mut self, max: Duration) -> Result<Self, InvalidSetting> {
        if max.is_zero() {
            return Err(invalid("at_most", max, "must be above zero"));
        }
        if self.timeout.is_some_and(|timeout| timeout > max) {
            let rule = "must not be shorter than the timeout";
            return Err(invalid("at_most", max, rule));
        }
        self.max = Some(max);
        Ok(self)
    }

    /// Is earlier than the other timer that reads the same header by this much.
    ///
    /// A server is over so much before what its caller asked for (by at most half of it), and so
    /// answers before the timer of its transport. A client asks for so much more than is left, and
    /// so is over before the timer of its transport.
    #[must_use]
    pub const fn margin(mut self, margin: Duration) -> Self {
        self.margin = Some(margin);
        self
    }

    /// How long a call may take that asks for `told`; or, if it is `given` one, until its deadline.
    #[inline]
    pub(crate) fn most(&self, told: Option<Duration>, given: bool) -> Option<Duration> {
        match (told, self.max) {
            (None, _) if !given && self.timeout.is_some() => self.timeout,
            (Some(told), Some(max)) => Some(told.min(max)),
            (told, max) => told.or(max),
        }
    }

    pub(crate) fn margin_or(&self, default: Duration) -> Duration {
        self.margin.unwrap_or(default)
    }
}

fn invalid(field: &'static str, value: Duration, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("deadline settings", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_could_never_work_is_refused_by_name() {
        let second = Settings::new(SECOND).unwrap();
        for (refused, field, value) in [
            (Settings::new(Duration::ZERO), "timeout", "0ns"),
            (second.at_most(Duration::ZERO), "at_most", "0ns"),
            (second.at_most(SECOND / 2), "at_most", "500ms"),
        ] {
            let error = refused.unwrap_err();
            assert_eq!((error.field(), error.value()), (field, value));
            let text = error.to_string();
            assert!(text.starts_with("invalid deadline settings: "), "{text}");
        }
        assert!(second.at_most(SECOND).is_ok());
    }

    #[test]
    fn the_timeout_is_for_who_asks_for_nothing_and_the_maximum_for_all() {
        let none = Settings::unbounded();
        let ten = Settings::new(10 * SECOND).unwrap();
        let most = none.at_most(60 * SECOND).unwrap();
        let both = ten.at_most(60 * SECOND).unwrap();
        for (settings, asked, given) in [
            (none, None, None),
            (none, Some(3_600), Some(3_600)),
            (ten, None, Some(10)),
            (ten, Some(5), Some(5)),
            (ten, Some(3_600), Some(3_600)),
            (most, None, Some(60)),
            (most, Some(3_600), Some(60)),
            (both, None, Some(10)),
            (both, Some(30), Some(30)),
            (both, Some(3_600), Some(60)),
        ] {
            let seconds = |seconds: u32| seconds * SECOND;
            let (asked, given) = (asked.map(seconds), given.map(seconds));
            assert_eq!(settings.most(asked, false), given, "{settings:?} {asked:?}");
            // A deadline is no duration: what it leaves open is what the settings say.
            let most = settings.most(None, asked.is_some());
            assert_eq!(
                asked.into_iter().chain(most).min(),
                given,
                "{settings:?} {asked:?}"
            );
        }
    }
}
