//! What the caller wants of one call.

use crate::Deadline;
use std::time::Duration;

/// What the caller wants of this one call; a request extension.
///
/// What is not set is left to the settings of the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// The call must be over by then.
    pub deadline: Option<Deadline>,
    /// Wait for an endpoint until the deadline, rather than failing when none is in sight.
    pub wait_for_ready: Option<bool>,
    /// The call may be made twice: it may be tried again even if a server may have seen it.
    pub idempotent: Option<bool>,
    /// Calls with one key go to one endpoint, where the balance policy hashes.
    pub hash_key: Option<u64>,
}

// === impl CallOptions ===

impl CallOptions {
    /// Nothing is asked for.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            deadline: None,
            wait_for_ready: None,
            idempotent: None,
            hash_key: None,
        }
    }

    /// Sets [`deadline`](Self::deadline).
    #[must_use]
    pub const fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets [`deadline`](Self::deadline) to this long from now.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.deadline(Deadline::after(timeout))
    }

    /// Sets [`wait_for_ready`](Self::wait_for_ready).
    #[must_use]
    pub const fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// Sets [`idempotent`](Self::idempotent).
    #[must_use]
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = Some(idempotent);
        self
    }

    /// Sets [`hash_key`](Self::hash_key).
    #[must_use]
    pub const fn hash_key(mut self, key: u64) -> Self {
        self.hash_key = Some(key);
        self
    }
}
