//! When a call must be over.

use crate::clock::{self, Instant};
use std::time::Duration;

/// The moment by which a call must be over: waiting, connecting, backing off, sending, and reading
/// the last byte of the answer included.
///
/// It travels as a request extension inside a process and as `grpc-timeout` between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// Longer than any call, and short enough to be added to any clock (about 30 years).
pub(crate) const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

// === impl Deadline ===

impl Deadline {
    /// This moment.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// So much from now; what is too far for the clock is about 30 years away.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Self::after_from(timeout, clock::now())
    }

    /// So much from `now`; what is too far for the clock is about 30 years away.
    #[must_use]
    pub fn after_from(timeout: Duration, now: Instant) -> Self {
        Self(now + timeout.min(FAR))
    }

    /// The moment itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left at `now`; zero once it is over.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Is nothing left at `now`?
    #[must_use]
    pub fn is_over(self, now: Instant) -> bool {
        self.0 <= now
    }

    /// The earlier of two deadlines, of which either may be missing.
    #[must_use]
    pub fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}
