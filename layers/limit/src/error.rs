//! Why a call was not sent.

use std::{error::Error, fmt, sync::Arc, time::Duration};
use ziggurat_core::{BoxError, Code, Rejection, Sent, error};

/// More calls came than the rate allows: this one was not sent.
#[derive(Clone, Debug)]
pub struct Limited {
    rejection: Rejection,
    retry_after: Duration,
}

/// The inner service failed when it was asked whether it is ready: the call was not sent.
///
/// What it said has no place in the chain of [`source`](Error::source)s: see [`cause`](Self::cause).
#[derive(Clone, Debug)]
pub struct Unready {
    rejection: Rejection,
    cause: Arc<dyn Error + Send + Sync>,
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
