//! Why a call was not sent.

use std::{error::Error, fmt};
use ziggurat_core::{Code, Rejection, Sent};

/// As many calls as may be are under way: this one was not sent.
#[derive(Clone, Debug)]
pub struct Full {
    rejection: Rejection,
    cause: Cause,
    limit: u32,
}

/// Why a call got no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// No permit was left, and none may wait for one.
    Limit,
    /// No permit was left, and no place to wait.
    Queue,
    /// It has waited as long as it may.
    Waited,
    /// It waited, and a more critical call took its place.
    Displaced,
    /// Its deadline would not let it wait, or came while it did.
    Deadline,
}

// === impl Full ===

impl Full {
    /// `elsewhere`: it may go to another endpoint, as it never got to this one.
    pub(crate) fn new(cause: Cause, limit: u32, elsewhere: bool) -> Self {
        let rejection = match cause {
            Cause::Deadline => Rejection::decided(Code::DeadlineExceeded, cause.as_str()),
            _ if elsewhere => Rejection::undelivered(cause.as_str(), Sent::Never),
            _ => Rejection::decided(Code::ResourceExhausted, cause.as_str()),
        };
        Self {
            rejection,
            cause,
            limit,
        }
    }

    /// Why there was no permit.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// How many calls could be under way at most, then.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.as_str())
    }
}

impl Error for Full {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl Cause ===

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "concurrency limit reached",
            Self::Queue => "concurrency limit reached, and its queue is full",
            Self::Waited => "waited too long for a concurrency permit",
            Self::Displaced => "a more critical call took the place in the concurrency queue",
            Self::Deadline => "deadline exceeded while waiting for a concurrency permit",
        }
    }
}
