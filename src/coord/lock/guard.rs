//! A lock that is held.

use crate::coord::{hold::Hold, store::StoreError};
use std::ops::Deref;

/// A lock that is held until this is dropped or unlocked, or until it is lost; then for good.
///
/// Its lease is renewed every third of its time. Dropped, it is released by the best effort that is
/// possible without waiting: at once on the embedded store. To be sure, [`unlock`](Self::unlock).
///
/// What it is held by, for how long, and what ends with it, it tells as a [`Hold`].
#[derive(Debug)]
#[must_use = "a lock that is dropped is released"]
pub struct LockGuard(Hold);

// === impl LockGuard ===

impl LockGuard {
    pub(super) const fn new(hold: Hold) -> Self {
        Self(hold)
    }

    /// Releases the lock, and waits for it.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseNotFound`] if it had been lost before, and what else the store answers;
    /// then it stays taken until its lease runs out.
    pub async fn unlock(self) -> Result<(), StoreError> {
        self.0.release().await
    }
}

impl Deref for LockGuard {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.0
    }
}
