//! Why a call was not sent.

use std::{error::Error, fmt, sync::OnceLock, time::Duration};
use ziggurat_core::{BoxError, Code, Rejection};

/// The circuit is open: the call was not sent.
#[derive(Clone, Debug)]
pub struct Open {
    /// In nanoseconds, if it is known.
    wait: Option<u64>,
    rejection: Lazy,
}

/// The service is failing, and the circuit sends it only a share of the calls: not this one.
#[derive(Clone, Debug)]
pub struct Throttled {
    rejection: Lazy,
}

/// Made when somebody asks: an open circuit says no more often than anybody reads why. Boxed, as nobody
/// should carry the room for it until then.
type Lazy = OnceLock<Box<Rejection>>;

/// Why the circuit did not admit a call: small, because an admission hands it on by value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// For so many nanoseconds, if that is known.
    Open(Option<u64>),
    Throttled,
}

// === impl Open ===

impl Open {
    const fn new(wait: Option<u64>) -> Self {
        Self {
            wait,
            rejection: OnceLock::new(),
        }
    }

    /// How long until the circuit sends its next probe.
    ///
    /// `None` while one is under way, which may close it at any moment, or if it was opened by hand.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.wait {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("circuit open")
    }
}

impl Error for Open {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let rejection = || {
            let rejection = Rejection::decided(Code::Unavailable, "circuit open");
            Box::new(match self.retry_after() {
                Some(retry_after) => rejection.with_retry_after(retry_after),
                None => rejection,
            })
        };
        Some(&**self.rejection.get_or_init(rejection))
    }
}

// === impl Throttled ===

impl Throttled {
    const fn new() -> Self {
        Self {
            rejection: OnceLock::new(),
        }
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("throttled")
    }
}

impl Error for Throttled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let rejection = || Box::new(Rejection::decided(Code::Unavailable, "throttled"));
        Some(&**self.rejection.get_or_init(rejection))
    }
}

// === impl Refusal ===

impl Refusal {
    #[inline(always)]
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
