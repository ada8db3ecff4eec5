//! The one error that the layer adds.

use std::{error::Error, fmt, time::Duration};
use ziggurat_core::{Code, Rejection, Sent};

/// The deadline of the call has passed.
#[derive(Clone, Debug)]
pub struct Exceeded {
    phase: Phase,
    after: Duration,
    rejection: Rejection,
}

/// What a call was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing yet: its time was up before it was sent.
    Sending,
    /// Waiting for the response: for an endpoint, a connection, a retry, or the server.
    Response,
    /// Reading the body of the response.
    Body,
}

// === impl Exceeded ===

impl Exceeded {
    pub(crate) fn new(phase: Phase, after: Duration) -> Self {
        // Nanoseconds would only make the message long.
        let shown = Duration::from_micros(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        let (reason, sent) = match phase {
            Phase::Sending => ("deadline exceeded before sending".into(), Sent::Never),
            Phase::Response => (
                format!("deadline exceeded after {shown:?} waiting for the response"),
                Sent::Unknown,
            ),
            Phase::Body => (
                format!("deadline exceeded after {shown:?} reading the response body"),
                Sent::Unknown,
            ),
        };
        Self {
            phase,
            after,
            rejection: Rejection::decided(Code::DeadlineExceeded, reason).with_sent(sent),
        }
    }

    /// What the call was doing when its time was up.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// How long the call had run in this layer.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.rejection, f)
    }
}

impl Error for Exceeded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
