//! How long calls may take.

use std::{error::Error, fmt, time::Duration};

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

/// Settings that could never work were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSettings(&'static str);

// === impl Settings ===

impl Settings {
    /// A client's calls take at most `timeout`; a server applies it to callers that name none.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub const fn new(timeout: Duration) -> Result<Self, InvalidSettings> {
        if timeout.is_zero() {
            return Err(InvalidSettings("the timeout is zero"));
        }
        let mut settings = Self::unbounded();
        settings.timeout = Some(timeout);
        Ok(settings)
    }

    /// Only what the caller or the request asks for bounds a call.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self {
            timeout: None,
            max: None,
            margin: None,
        }
    }

    /// No call takes longer than `max`, whatever it asks for.
    ///
    /// # Errors
    ///
    /// If it is zero, or shorter than the timeout.
    pub fn at_most(mut self, max: Duration) -> Result<Self, InvalidSettings> {
        if max.is_zero() {
            return Err(InvalidSettings("the maximum is zero"));
        }
        if self.timeout.is_some_and(|timeout| timeout > max) {
            return Err(InvalidSettings("the timeout is longer than the maximum"));
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

    /// What bounds a call that nothing else bounds.
    pub(crate) fn fallback(&self) -> Option<Duration> {
        self.timeout.or(self.max)
    }

    /// What bounds a call whatever else does.
    pub(crate) const fn max(&self) -> Option<Duration> {
        self.max
    }

    pub(crate) fn margin_or(&self, default: Duration) -> Duration {
        self.margin.unwrap_or(default)
    }
}

// === impl InvalidSettings ===

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid deadline settings: {}", self.0)
    }
}

impl Error for InvalidSettings {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_could_never_work_is_refused() {
        let bad = [
            Settings::new(Duration::ZERO),
            Settings::unbounded().at_most(Duration::ZERO),
            Settings::new(SECOND).and_then(|s| s.at_most(SECOND / 2)),
        ];
        for settings in bad {
            let error = settings.unwrap_err().to_string();
            assert!(error.starts_with("invalid deadline settings"), "{error}");
        }
        assert!(Settings::new(SECOND).unwrap().at_most(SECOND).is_ok());
    }
}
