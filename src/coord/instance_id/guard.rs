//! A number that is held.

use crate::coord::{hold::Hold, session::Lost, store::StoreError};
use std::time::Duration;

/// A number that is one's own until this is dropped or released, or until it is lost; then for good.
///
/// Its lease is renewed every third of its time. Dropped, it is given back by the best effort that is
/// possible without waiting: at once on the embedded store. To be sure, [`release`](Self::release).
#[derive(Debug)]
#[must_use = "an instance id that is dropped is given back"]
pub struct InstanceId {
    hold: Hold,
    number: u16,
}

// === impl InstanceId ===

impl InstanceId {
    pub(super) const fn new(hold: Hold, number: u16) -> Self {
        Self { hold, number }
    }

    /// The number, while it is held for certain: ask whenever it is used.
    ///
    /// # Errors
    ///
    /// Why it is not held any more.
    pub fn id(&self) -> Result<u16, Lost> {
        self.hold.session().check()?;
        Ok(self.number)
    }

    /// The number that was held in the beginning, be it lost by now or not.
    pub(in crate::coord) const fn id_unchecked(&self) -> u16 {
        self.number
    }

    /// The key that holds it in the store.
    #[must_use]
    pub fn key(&self) -> &str {
        self.hold.key()
    }

    /// For how long it is held for certain if no further renewal succeeds; zero once it is lost.
    ///
    /// By the clock of this process: the store is not asked.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.hold.session().ttl()
    }

    /// The fencing token: the revision that made the key, greater than that of every earlier owner.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.hold.token()
    }

    /// Ends when the number is lost, or may be, and says why; before anybody else can have it.
    ///
    /// It holds on to nothing: it may be moved into another task.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static + use<> {
        self.hold.session().lost()
    }

    /// Works for as long as the number is held; once it is not, the work is dropped where it stands.
    ///
    /// # Errors
    ///
    /// Why the number was lost before the work was done.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Lost> {
        self.hold.session().run(work).await
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
