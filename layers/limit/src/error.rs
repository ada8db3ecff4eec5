//! Why a call was not sent.

use std::{error::Error, fmt, time::Duration};
use ziggurat_core::{Code, Rejection};

/// More calls came than the rate allows: this one was not sent.
#[derive(Clone, Debug)]
pub struct Limited {
    rejection: Rejection,
    retry_after: Duration,
}

// === impl Limited ===

impl Limited {
    pub(crate) fn new(retry_after: Duration) -> Self {
        let rejection = Rejection::decided(Code::ResourceExhausted, "rate limit exceeded");
        Self {
            rejection: rejection.with_retry_after(retry_after),
            retry_after,
        }
    }

    /// How long until the rate allows another call: exactly, if no other call comes first.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rate limit exceeded")
    }
}

impl Error for Limited {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
