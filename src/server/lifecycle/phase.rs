//! Where a server stands between its start and its end.

use std::time::Duration;

/// Where a server stands; it only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// It serves, and wants to be found.
    Serving,
    /// It serves, and no longer wants to be found: it says goodbye, and clients go elsewhere.
    Leaving,
    /// It takes no more connections, tells those it has to go (GOAWAY), and ends its calls.
    Closing,
    /// No call is left, or there is no more time for them.
    Stopped,
}

/// How long each step of a [shutdown](super::Lifecycle::shutdown) may take.
///
/// # Defaults
///
/// 5 s for goodbyes, a grace of 1 s, 30 s to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(super) goodbyes: Duration,
    pub(super) grace: Duration,
    pub(super) drain: Duration,
}

// === impl Settings ===

impl Settings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            goodbyes: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            drain: Duration::from_secs(30),
        }
    }

    /// How long [what is to be done first](super::Lifecycle::on_leave) may take; then it is dropped.
    #[must_use]
    pub const fn goodbyes(mut self, most: Duration) -> Self {
        self.goodbyes = most;
        self
    }

    /// How long it still serves new calls after its goodbyes, so that everybody has heard of them:
    /// balancers that follow the registry need milliseconds, those that probe `/readyz` the interval
    /// of their probes. Zero: not at all.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long calls and streams may take to end after that. Zero: they are cut off.
    #[must_use]
    pub const fn drain(mut self, most: Duration) -> Self {
        self.drain = most;
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
