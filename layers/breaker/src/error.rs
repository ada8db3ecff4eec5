//! Why a call was not sent.

use std::{error::Error, fmt, time::Duration};
use ziggurat_core::{BoxError, Code, Rejection};

/// The circuit is open: the call was not sent.
#[derive(Clone, Debug)]
pub struct Open {
    rejection: Rejection,
}

/// The service is failing, and the circuit sends it only a share of the calls: not this one.
#[derive(Clone, Debug)]
pub struct Throttled {
    rejection: Rejection,
}

/// Why the circuit did not admit a call: small, because an admission hands it on by value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// Until then, if that is known.
    Open(Option<Duration>),
    Throttled,
}

// === impl Open ===

impl Open {
    fn new(retry_after: Option<Duration>) -> Self {
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

// === impl Throttled ===

impl Throttled {
    fn new() -> Self {
        let rejection = Rejection::decided(Code::Unavailable, "throttled");
        Self { rejection }
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("throttled")
    }
}

impl Error for Throttled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl Refusal ===

impl Refusal {
    /// Out of the way of the calls that are admitted.
    #[inline(never)]
    pub(crate) fn into_error(self) -> BoxError {
        match self {
            Self::Open(wait) => boxed(|| Open::new(wait)),
            Self::Throttled => boxed(Throttled::new),
        }
    }
}

/// Written into its box: what is written first and then moved into it is waited for.
#[inline(always)]
fn boxed<E: Error + Send + Sync + 'static>(error: impl FnOnce() -> E) -> BoxError {
    let place = Box::new_uninit();
    let error: Box<E> = Box::write(place, error());
    error
}
