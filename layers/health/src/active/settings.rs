//! What to ask, and how often.

use std::{sync::Arc, time::Duration};
use ziggurat_core::{Backoff, InvalidSetting};

/// What to ask an endpoint, and how often.
///
/// A `Watch` is a stream like any other: it takes one of those that the server allows on a connection,
/// and keeps the connection from falling idle.
///
/// # Defaults
///
/// | setting | default |
/// |---|---|
/// | [`service`](Self::service) | the empty name, which stands for the whole server |
/// | [`timeout`](Self::timeout) | 5 s |
/// | [`interval`](Self::interval) | 5 s |
/// | [`backoff`](Self::backoff) | gRPC's: 1 s, times 1.6, up to 120 s, 20 % either way |
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) service: Arc<str>,
    pub(super) timeout: Duration,
    pub(super) interval: Duration,
    pub(super) backoff: Backoff,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            service: "".into(),
            timeout: Duration::from_secs(5),
            interval: Duration::from_secs(5),
            backoff: Backoff::GRPC_CONNECT,
        }
    }

    /// Asks for this service (`healthCheckConfig.serviceName` in gRPC's service config).
    #[must_use]
    pub fn service(mut self, name: impl Into<Arc<str>>) -> Self {
        self.service = name.into();
        self
    }

    /// Gives each `Check`, and a `Watch` until its first answer, so much time.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, InvalidSetting> {
        self.timeout = above_zero("timeout", timeout)?;
        Ok(self)
    }

    /// Asks this often where there is no `Watch`.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn interval(mut self, interval: Duration) -> Result<Self, InvalidSetting> {
        self.interval = above_zero("interval", interval)?;
        Ok(self)
    }

    /// Waits so before the next try, when one has brought no answer.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }
}

fn above_zero(field: &'static str, value: Duration) -> Result<Duration, InvalidSetting> {
    if value.is_zero() {
        let rule = "must be above zero";
        return Err(InvalidSetting::new(
            "active health settings",
            field,
            value,
            rule,
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_at_all_is_refused_by_name() {
        let refused = Settings::new().timeout(Duration::ZERO).unwrap_err();
        assert_eq!((refused.field(), refused.value()), ("timeout", "0ns"));
        let refused = Settings::new().interval(Duration::ZERO).unwrap_err();
        assert_eq!(refused.field(), "interval");
    }
}
