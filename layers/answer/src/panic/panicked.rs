//! That something panicked.

use std::{
    any::Any,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use ziggurat_core::{Code, Rejection, Sent, contain};

/// The inner service panicked. What it said stays in this process: a peer is told INTERNAL.
#[derive(Clone, Debug)]
pub struct Panicked {
    rejection: Rejection,
    message: Arc<str>,
}

// === impl Panicked ===

impl Panicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref()) {
            (Some(text), _) => *text,
            (None, Some(text)) => String::as_str(text),
            (None, None) => "something that is no text",
        };
        tracing::error!(message, "a call panicked");
        let rejection = Rejection::decided(Code::Internal, "internal error");
        Self {
            rejection: rejection.with_sent(Sent::Unknown),
            message: message.into(),
        }
    }

    /// What the panic said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl Error for Panicked {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

/// Runs `run`, whatever it does. Nothing that it left half done may be used again but to be dropped.
pub(super) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let panicked = Panicked::new(&*payload);
        contain(|| drop(payload));
        panicked
    })
}
