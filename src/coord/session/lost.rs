//! Why something is no longer held.

use crate::coord::store::LeaseId;

/// What was held is gone, or may be: nothing may be done in its name any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lease {lease:x} is lost: {loss}")]
pub struct Lost {
    lease: LeaseId,
    loss: Loss,
}

/// How it came to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// It was not renewed in time, by the clock of this process.
    #[error("not renewed in time")]
    Expired,
    /// The store says that there is no such lease.
    #[error("ended by the store")]
    Revoked,
    /// A key that was made with it was deleted, or taken over.
    #[error("its key is gone")]
    Deleted,
    /// Its owner gave it up, or the runtime that renewed it is gone.
    #[error("released")]
    Released,
}

// === impl Lost ===

impl Lost {
    pub(super) const fn new(lease: LeaseId, loss: Loss) -> Self {
        Self { lease, loss }
    }

    /// The lease that it hung on.
    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        self.lease
    }

    /// How it came about.
    #[must_use]
    pub const fn loss(&self) -> Loss {
        self.loss
    }
}
