//! A service that failed before it was called.

use crate::{BoxError, Rejection, Sent, error};
use std::{error::Error, fmt, sync::Arc};

/// The inner service failed when it was asked whether it is ready: the call was not sent.
///
/// A layer remembers such a failure and answers the next call with it: an error of `poll_ready` is
/// UNKNOWN to a generated client. What the service said has no place in the chain of [`source`](Error::source)s: see [`cause`](Self::cause).
#[derive(Clone, Debug)]
pub struct Unready {
    rejection: Rejection,
    cause: Arc<dyn Error + Send + Sync>,
}

// === impl Unready ===

impl Unready {
    /// What a call is answered with: `cause` itself, if it has a [code](error::code), else this.
    #[must_use]
    pub fn answer(cause: BoxError) -> BoxError {
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
