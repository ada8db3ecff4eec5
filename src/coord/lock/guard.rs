//! A lock that is held.

use crate::coord::{hold::Hold, session::Lost, store::StoreError};
use std::time::Duration;

/// A lock that is held until this is dropped or unlocked, or until it is lost; then for good.
///
/// Its lease is renewed every third of its time. Dropped, it is released by the best effort that is
/// possible without waiting: at once on the embedded store. To be sure, [`unlock`](Self::unlock).
#[derive(Debug)]
#[must_use = "a lock that is dropped is released"]
pub struct LockGuard(Hold);

// === impl LockGuard ===

impl LockGuard {
    pub(super) const fn new(hold: Hold) -> Self {
        Self(hold)
    }

    /// The key that holds it in the store.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// For how long it is held for certain if no further renewal succeeds; zero once it is lost.
    ///
    /// By the clock of this process: the store is not asked.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.0.session().ttl()
    }

    /// The fencing token: the revision that made the key, greater than that of every earlier holder
    /// of this lock.
    ///
    /// A resource that refuses what comes with a smaller token than it has seen is safe from a
    /// holder that does not know yet that it is none any more. No lock alone is.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.0.token()
    }

    /// Whether it is held for certain.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.session().is_held()
    }

    /// Nothing while it is held for certain.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn check(&self) -> Result<(), Lost> {
        self.0.session().check()
    }

    /// Ends when the lock is lost, or may be, and says why; before anybody else can have it.
    ///
    /// It holds on to nothing: it may be moved into another task.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static + use<> {
        self.0.session().lost()
    }

    /// Works for as long as the lock is held; once it is not, the work is dropped where it stands.
    ///
    /// # Errors
    ///
    /// Why the lock was lost before the work was done.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Lost> {
        self.0.session().run(work).await
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
