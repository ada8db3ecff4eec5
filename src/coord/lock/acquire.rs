//! Asking for a lock.

use super::{LockGuard, Locks, TTL};
use crate::coord::store::StoreError;
use bytes::Bytes;
use futures_core::future::BoxFuture;
use std::{fmt, future::IntoFuture, marker::PhantomData, time::Duration};

/// A lock that is asked for: await it. It is waited for, unless `E` can say that it is held.
///
/// # Defaults
///
/// A lease of 30 s.
#[must_use = "nothing is locked before this is awaited"]
pub struct Acquire<E = StoreError> {
    locks: Locks,
    name: String,
    ttl: Duration,
    fails: PhantomData<fn() -> E>,
}

/// A lock that is taken if it is free: await it.
///
/// # Defaults
///
/// A lease of 30 s.
pub type TryAcquire = Acquire<TryLockError>;

/// Why a lock was not taken at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryLockError {
    /// Somebody has it, or is about to.
    #[error("lock `{name}` is held")]
    Held {
        /// The lock.
        name: String,
    },
    /// The store could not be asked, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

// === impl Acquire ===

impl<E> Acquire<E> {
    pub(super) const fn new(locks: Locks, name: String) -> Self {
        Self {
            locks,
            name,
            ttl: TTL,
            fails: PhantomData,
        }
    }

    /// How long the lock stays taken after this process is gone; 100 ms to 24 h.
    ///
    /// A store may hold it longer: etcd counts whole seconds, and as usually set up grants two at least.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }
}

impl IntoFuture for Acquire {
    type Output = Result<LockGuard, StoreError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let queue = self.locks.queue(&self.name)?;
            Ok(LockGuard::new(queue.wait(self.ttl, Bytes::new()).await?))
        })
    }
}

impl IntoFuture for TryAcquire {
    type Output = Result<LockGuard, TryLockError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let queue = self.locks.queue(&self.name)?;
            match queue.try_now(self.ttl, Bytes::new()).await? {
                Some(hold) => Ok(LockGuard::new(hold)),
                None => Err(TryLockError::Held { name: self.name }),
            }
        })
    }
}

impl<E> Clone for Acquire<E> {
    fn clone(&self) -> Self {
        Self::new(self.locks.clone(), self.name.clone()).ttl(self.ttl)
    }
}

impl<E> fmt::Debug for Acquire<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("name", &self.name)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
