//! Locks: one holder at a time, the longest waiting one next.

mod acquire;
mod guard;

use super::{
    name::check_path,
    queue::Queue,
    store::{Store, StoreError},
};
use std::{sync::Arc, time::Duration};
use ziggurat_core::Dice;

pub use self::{
    acquire::{Acquire, TryAcquire, TryLockError},
    guard::LockGuard,
};

/// The locks that a store holds, by name.
///
/// The keys are those of etcd's own lock (`go.etcd.io/etcd/client/v3/concurrency`, `etcdctl lock`):
/// `/locks/<name>/<lease in hex>` with an empty value, held by whose key was made first. So
/// `etcdctl lock /locks/<name>` and the lock `<name>` exclude each other.
///
/// | question | answer |
/// |---|---|
/// | Who is next? | who came first, by the revision that made its key |
/// | What wakes a waiter? | the one before it going: one watch a waiter |
/// | What if a waiter is dropped? | its key goes with it |
/// | What if the holder dies? | its key ends with its lease: after the time to live at most |
/// | What if the store is out of reach? | the holder gives up before its lease can end |
/// | What if the holder is frozen? | it may come back too late: hand [`token`](super::Hold::token) to what you write to |
///
/// Names may have several parts, and `a` has nothing to do with `a/b`: a key of the one has exactly
/// one part after the name. (For Go's clients it does: there, holding `a/b` blocks `a`.)
///
/// # Defaults
///
/// Leases of 30 s.
///
/// # Example
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use ziggurat::coord::{Locks, MemoryStore, TryLockError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let locks = Locks::new(Arc::new(MemoryStore::new()));
/// let guard = locks.acquire("jobs/nightly").ttl(Duration::from_secs(15)).await?;
/// assert!(guard.key().starts_with("/locks/jobs/nightly/"));
///
/// let second = locks.try_acquire("jobs/nightly").await;
/// assert!(matches!(second, Err(TryLockError::Held { .. })));
///
/// // Work that stops when the lock may be gone.
/// guard.run(async { /* write, with guard.token() */ }).await?;
/// guard.unlock().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Locks {
    store: Arc<dyn Store>,
    dice: Dice,
}

/// The seeds' time to live; two renewals may fail before it is over.
const TTL: Duration = Duration::from_secs(30);

// === impl Locks ===

impl Locks {
    /// The locks that this store holds.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let dice = Dice::new();
        Self { store, dice }
    }

    /// Draws its jitter from here.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        Self { dice, ..self }
    }

    /// Waits for the lock `name`: await it.
    ///
    /// It waits for as long as it takes, through an outage of the store as well, so bound it by a
    /// timeout if you must. Dropped, it stands in line no more, and holds nobody up: on the embedded
    /// store at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if the name or the time to live is none, and what the store
    /// refuses for good.
    pub fn acquire(&self, name: impl Into<String>) -> Acquire {
        Acquire::new(self.clone(), name.into())
    }

    /// Takes the lock `name` if nobody has it: await it.
    ///
    /// That costs one round trip if it is taken, three if it is free, and leaves no key if it fails.
    ///
    /// # Errors
    ///
    /// [`TryLockError::Held`] if somebody has it or stands in line for it, or else as
    /// [`acquire`](Self::acquire), and what the store answers.
    pub fn try_acquire(&self, name: impl Into<String>) -> TryAcquire {
        TryAcquire::new(self.clone(), name.into())
    }

    fn queue(&self, name: &str) -> Result<Queue, StoreError> {
        check_path("name", name)?;
        Ok(Queue {
            store: Arc::clone(&self.store),
            prefix: format!("/locks/{name}/"),
            dice: self.dice.clone(),
        })
    }
}
