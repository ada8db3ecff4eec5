//! Being the leader.

use crate::coord::{
    hold::{Hold, HoldError},
    store::StoreError,
};
use bytes::Bytes;
use std::ops::Deref;

/// A leadership that lasts until this is dropped or resigned, or until it is lost; then for good.
///
/// Its lease is renewed every third of its time. Dropped, it is resigned by the best effort that is
/// possible without waiting: at once on the embedded store. To be sure, [`resign`](Self::resign).
///
/// What it is held by, for how long, and what ends with it, it tells as a [`Hold`].
#[derive(Debug)]
#[must_use = "a leadership that is dropped is resigned"]
pub struct Leadership(Hold);

// === impl Leadership ===

impl Leadership {
    pub(super) const fn new(hold: Hold) -> Self {
        Self(hold)
    }

    /// Shows another value to those who observe, and leads on.
    ///
    /// # Errors
    ///
    /// [`HoldError::Lost`] if it does not lead any more, and what the store answers; after
    /// [`StoreError::Unavailable`] the value may be shown all the same.
    pub async fn proclaim(&self, value: impl Into<Bytes>) -> Result<(), HoldError> {
        self.0.write(value.into()).await
    }

    /// Lets the next one lead, and waits until it may.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseNotFound`] if it had been lost before, and what else the store answers;
    /// then nobody leads until the lease runs out.
    pub async fn resign(self) -> Result<(), StoreError> {
        self.0.release().await
    }
}

impl Deref for Leadership {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.0
    }
}
