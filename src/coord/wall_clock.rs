//! The time of day, read in this one place.

use std::time::Duration;

/// Tells the time of day. It may be set back at any moment; whoever asks must expect that.
///
/// Any `Fn() -> Duration` is one.
///
/// ```
/// use std::time::Duration;
/// use ziggurat::coord::{SystemClock, WallClock};
///
/// let fixed = || Duration::from_secs(1_700_000_000);
/// assert!(SystemClock.since_unix_epoch() > fixed.since_unix_epoch());
/// ```
pub trait WallClock: Send + Sync + 'static {
    /// The time since 1970-01-01 00:00 UTC, without leap seconds; zero before that.
    fn since_unix_epoch(&self) -> Duration;
}

/// The clock of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to it")]
pub struct SystemClock;

// === impl SystemClock ===

impl WallClock for SystemClock {
    #[expect(
        clippy::disallowed_types,
        reason = "the one place where the time of day is read"
    )]
    fn since_unix_epoch(&self) -> Duration {
        use std::time::SystemTime;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap_or_default()
    }
}

impl<F: Fn() -> Duration + Send + Sync + 'static> WallClock for F {
    fn since_unix_epoch(&self) -> Duration {
        self()
    }
}
