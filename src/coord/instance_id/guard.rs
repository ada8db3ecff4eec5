//! A number that is held.

use crate::coord::{hold::Hold, session::Lost, store::StoreError};
use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
};

/// A number that is one's own until this is dropped or released, or until it is lost; then for good.
///
/// Its lease is renewed every third of its time. Dropped, it is given back by the best effort that is
/// possible without waiting: at once on the embedded store. To be sure, [`release`](Self::release).
///
/// What it is held by, for how long, and what ends with it, it tells as a [`Hold`].
#[derive(Debug)]
#[must_use = "an instance id that is dropped is given back"]
pub struct InstanceId {
    hold: Hold,
    number: u16,
    /// Whether there is, or was, one who makes unique ids of it.
    generates: AtomicBool,
}

// === impl InstanceId ===

impl InstanceId {
    pub(super) const fn new(hold: Hold, number: u16) -> Self {
        Self {
            hold,
            number,
            generates: AtomicBool::new(false),
        }
    }

    /// The number, while it is held for certain: ask whenever it is used.
    ///
    /// # Errors
    ///
    /// Why it is not held any more.
    pub fn id(&self) -> Result<u16, Lost> {
        self.hold.check()?;
        Ok(self.number)
    }

    /// The number that was held in the beginning, be it lost by now or not.
    pub(in crate::coord) const fn id_unchecked(&self) -> u16 {
        self.number
    }

    /// Whether this is the first time that somebody wants to make unique ids of it.
    pub(in crate::coord) fn claim(&self) -> bool {
        // Nothing else hangs on it.
        !self.generates.swap(true, Ordering::Relaxed)
    }

    /// Gives the number back, and waits for it. What is somebody else's by now stays so.
    ///
    /// # Errors
    ///
    /// [`StoreError::LeaseNotFound`] if it had been lost before, and what else the store answers;
    /// then it stays taken until its lease runs out.
    pub async fn release(self) -> Result<(), StoreError> {
        self.hold.release().await
    }
}

impl Deref for InstanceId {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}
