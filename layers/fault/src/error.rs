//! The error of a call that was made to fail.

use std::{error::Error, fmt};
use ziggurat_core::{Rejection, Sent};

/// The call, or its response body, was made to fail as if the connection had broken.
///
/// It is told like a real one: UNAVAILABLE, and the server may have acted on the call.
#[derive(Clone, Debug)]
pub struct Injected(Rejection);

const REASON: &str = "fault injected: connection lost";

// === impl Injected ===

impl Injected {
    pub(crate) fn new() -> Self {
        Self(Rejection::undelivered(REASON, Sent::Unknown))
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REASON)
    }
}

impl Error for Injected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
