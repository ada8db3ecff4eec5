//! How often the peer is asked whether it lives.

use std::time::Duration;

/// How often the peer is asked whether it lives, and how long it has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// A server that asks to be left alone is asked at least this often. gRPC's strictest rule is one
/// PING in two hours.
pub(super) const LONGEST_KEEPALIVE: Duration = Duration::from_secs(4 * 3_600);

// === impl Keepalive ===

impl Keepalive {
    /// Half as often, as a server wished.
    pub(crate) fn calmer(self) -> Self {
        let interval = self.interval.saturating_mul(2);
        Self {
            interval: interval.min(LONGEST_KEEPALIVE.max(self.interval)),
            ..self
        }
    }
}
