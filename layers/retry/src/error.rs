//! What can be wrong: an attempt that took too long, a request body that has moved on.

use std::{error::Error, fmt, time::Duration};
use ziggurat_core::{Code, Rejection, Sent};

/// An attempt got no answer within its time, and no other could follow.
///
/// To a gRPC client it is DEADLINE_EXCEEDED, not UNAVAILABLE: the server may have acted, and callers
/// take UNAVAILABLE as leave to try anything again.
#[derive(Clone, Debug)]
pub struct AttemptTimedOut {
    number: u32,
    after: Duration,
    rejection: Rejection,
}

/// The request body that an earlier attempt read: a later one has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Superseded;

// === impl AttemptTimedOut ===

impl AttemptTimedOut {
    pub(crate) fn new(number: u32, after: Duration) -> Self {
        let rejection = Rejection::decided(Code::DeadlineExceeded, "the attempt timed out");
        Self {
            number,
            after,
            rejection: rejection.with_sent(Sent::Unknown),
        }
    }

    /// Which attempt of the call it was; the first is 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// How long the attempt was given.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for AttemptTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, after, .. } = self;
        write!(f, "attempt {number} got no answer within {after:?}")
    }
}

impl Error for AttemptTimedOut {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl Superseded ===

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a later attempt has taken over the request body")
    }
}

impl Error for Superseded {}
