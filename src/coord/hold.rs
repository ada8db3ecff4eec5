//! A key that is held: what a lock, a leadership and an instance id have in common.

use super::{
    session::{Loss, Lost, Session},
    store::{Compare, Put, StoreError, Txn},
};
use bytes::Bytes;
use std::ops::Deref;
use ziggurat_core::Dice;

/// A key of one's own, made with a [`Session`] of its own: what a [`LockGuard`](super::LockGuard), a
/// [`Leadership`](super::Leadership) and an [`InstanceId`](super::InstanceId) have in common.
///
/// It is held until it is given up or lost, and then lost for good. What the session can tell, it can
/// tell as well: for how long, whether, and until when it is held.
#[derive(Debug)]
pub struct Hold {
    session: Session,
    key: String,
    token: i64,
}

/// Why something was not done in the name of what is held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// It is not held any more, or may not be.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The store did not do it, or did not say so.
    #[error(transparent)]
    Store(#[from] StoreError),
}

// === impl Hold ===

impl Hold {
    /// `key` was made by the revision `token` with the lease of `session`, and is known to have
    /// been there right before the revision `from`.
    pub(super) fn new(
        mut session: Session,
        key: String,
        token: i64,
        from: i64,
        dice: &Dice,
    ) -> Self {
        session.guard(&key, token, from, dice);
        Self {
            session,
            key,
            token,
        }
    }

    /// The key that holds it in the store.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The fencing token: the revision that made the key, greater than that of all who held the same
    /// thing before.
    ///
    /// A resource that refuses what comes with a smaller token than it has seen is safe from a
    /// holder that does not know yet that it is none any more. Nothing else is.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.token
    }

    /// Writes another value, unless the key is somebody else's by now.
    pub(super) async fn write(&self, value: Bytes) -> Result<(), HoldError> {
        self.session.check()?;
        let put = Put::new(self.key.clone(), value).lease(self.session.lease());
        let txn = Txn::new()
            .when([Compare::create_revision(self.key.clone(), self.token)])
            .then([put]);
        match super::ask::limited(self.session.store().txn(txn)).await {
            Ok(done) if done.succeeded => Ok(()),
            Ok(_) => Err(self.session.lose(Loss::Deleted).into()),
            Err(StoreError::LeaseNotFound { .. }) => Err(self.session.lose(Loss::Revoked).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes the key, if it is still ours, by ending its lease.
    pub(super) async fn release(self) -> Result<(), StoreError> {
        self.session.close().await
    }
}

impl Deref for Hold {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
