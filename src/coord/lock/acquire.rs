//! Asking for a lock.

use super::{LockGuard, Locks, TTL};
use crate::coord::store::StoreError;
use bytes::Bytes;
use futures_core::future::BoxFuture;
use std::{future::IntoFuture, time::Duration};

/// A lock that is waited for: await it.
///
/// # Defaults
///
/// A lease of 30 s.
#[derive(Clone, Debug)]
#[must_use = "nothing is locked before this is awaited"]
pub struct Acquire(Request);

/// A lock that is taken if it is free: await it.
///
/// # Defaults
///
/// A lease of 30 s.
#[derive(Clone, Debug)]
#[must_use = "nothing is locked before this is awaited"]
pub struct TryAcquire(Request);

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

#[derive(Clone, Debug)]
struct Request {
    locks: Locks,
    name: String,
    ttl: Duration,
}

// === impl Acquire ===

impl Acquire {
    pub(super) const fn new(locks: Locks, name: String) -> Self {
        Self(Request {
            locks,
            name,
            ttl: TTL,
        })
    }

    /// How long the lock stays taken after this process is gone; 100 ms to 24 h.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = ttl;
        self
    }
}

impl IntoFuture for Acquire {
    type Output = Result<LockGuard, StoreError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self(Request { locks, name, ttl }) = self;
        Box::pin(async move {
            let queue = locks.queue(&name)?;
            Ok(LockGuard::new(queue.wait(ttl, Bytes::new()).await?))
        })
    }
}

// === impl TryAcquire ===

impl TryAcquire {
    pub(super) const fn new(locks: Locks, name: String) -> Self {
        Self(Request {
            locks,
            name,
            ttl: TTL,
        })
    }

    /// How long the lock stays taken after this process is gone; 100 ms to 24 h.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = ttl;
        self
    }
}

impl IntoFuture for TryAcquire {
    type Output = Result<LockGuard, TryLockError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self(Request { locks, name, ttl }) = self;
        Box::pin(async move {
            let queue = locks.queue(&name)?;
            match queue.try_now(ttl, Bytes::new()).await? {
                Some(hold) => Ok(LockGuard::new(hold)),
                None => Err(TryLockError::Held { name }),
            }
        })
    }
}
