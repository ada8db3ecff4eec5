//! Why a call was not sent, and why settings were refused.

use std::{error::Error, fmt, time::Duration};
use ziggurat_core::{Code, Rejection};

/// The circuit is open: the call was not sent.
#[derive(Clone, Debug)]
pub struct Open {
    rejection: Rejection,
}

/// Settings that could never work were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSettings {
    field: &'static str,
    value: String,
    rule: &'static str,
}

// === impl Open ===

impl Open {
    pub(crate) fn new(retry_after: Option<Duration>) -> Self {
        let rejection = Rejection::decided(Code::Unavailable, "circuit open");
        Self {
            rejection: match retry_after {
                Some(retry_after) => rejection.with_retry_after(retry_after),
                None => rejection,
            },
        }
    }

    /// How long until the circuit sends its next probe.
    ///
    /// `None` while one is under way, which may close it at any moment, or if it was opened by hand.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("circuit open")
    }
}

impl Error for Open {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl InvalidSettings ===

impl InvalidSettings {
    pub(crate) fn new(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> Self {
        Self {
            field,
            value: format!("{value:?}"),
            rule,
        }
    }

    /// The name of the setting.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What was asked for.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is allowed.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, rule } = self;
        write!(f, "invalid breaker settings: {field} {value} {rule}")
    }
}

impl Error for InvalidSettings {}
