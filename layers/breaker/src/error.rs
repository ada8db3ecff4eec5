//! Why a call was not sent.

use std::{error::Error, fmt, sync::Arc, time::Duration};
use ziggurat_core::{BoxError, Code, Rejection, Sent, error};

/// The circuit is open: the call was not sent.
#[derive(Clone, Debug)]
pub struct Open {
    rejection: Rejection,
}

/// The inner service failed when it was asked whether it is ready: the call was not sent.
///
/// What it said has no place in the chain of [`source`](Error::source)s: see [`cause`](Self::cause).
#[derive(Clone, Debug)]
pub struct Unready {
    rejection: Rejection,
    cause: Arc<dyn Error + Send + Sync>,
}

// === impl Open ===

impl Open {
    pub(crate) fn new(retry_after: Option<Duration>) -> Self {
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

// === impl Unready ===

impl Unready {
    /// What a call is answered with: `cause` itself, if it says what it stands for.
    pub(crate) fn answer(cause: BoxError) -> BoxError {
        if error::code(&*cause).is_some() {
            return cause;
        }
        let reason = format!("service not ready: {cause}");
        Self {
            rejection: Rejection::undelivered(reason, Sent::Never),
            cause: cause.into(),
        }
        .into()
    }

    /// What the inner service said.
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("service not ready")
    }
}

impl Error for Unready {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
