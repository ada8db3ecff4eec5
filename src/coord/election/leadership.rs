//! Being the leader.

use crate::coord::{
    hold::{Hold, HoldError},
    session::Lost,
    store::StoreError,
};
use bytes::Bytes;
use std::time::Duration;

/// A leadership that lasts until this is dropped or resigned, or until it is lost; then for good.
///
/// Its lease is renewed every third of its time. Dropped, it is resigned by the best effort that is
/// possible without waiting: at once on the embedded store. To be sure, [`resign`](Self::resign).
#[derive(Debug)]
#[must_use = "a leadership that is dropped is resigned"]
pub struct Leadership(Hold);

// === impl Leadership ===

impl Leadership {
    pub(super) const fn new(hold: Hold) -> Self {
        Self(hold)
    }

    /// The key that it leads by.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// For how long it leads for certain if no further renewal succeeds; zero once it is lost.
    ///
    /// By the clock of this process: the store is not asked.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.0.session().ttl()
    }

    /// The fencing token: the revision that made the key, greater than that of every earlier leader.
    ///
    /// A resource that refuses what comes with a smaller token than it has seen is safe from a
    /// leader that does not know yet that it is none any more.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.0.token()
    }

    /// Whether it leads for certain.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.session().is_held()
    }

    /// Nothing while it leads for certain.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn check(&self) -> Result<(), Lost> {
        self.0.session().check()
    }

    /// Ends when the leadership is lost, or may be, and says why; before anybody else can lead.
    ///
    /// It holds on to nothing: it may be moved into another task.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + 'static + use<> {
        self.0.session().lost()
    }

    /// Works for as long as it leads; once it does not, the work is dropped where it stands.
    ///
    /// # Errors
    ///
    /// Why the leadership was lost before the work was done.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Lost> {
        self.0.session().run(work).await
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
