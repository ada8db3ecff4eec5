//! The embedded store: a whole one in the memory of this process, on tokio's clock.

pub(super) mod check;
mod history;
mod leases;
mod state;
mod view;
mod watcher;

use self::{leases::Leases, state::State, watcher::Watcher};
use super::store::{
    Lease, LeaseId, LeaseStatus, Range, RangeResponse, Store, StoreError, StoreFuture, Txn,
    TxnResponse, Watch, WatchStream,
};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};
use tokio::sync::watch;
use ziggurat_core::clock::{self, Instant};

/// A [`Store`] in the memory of this process; clones are the same store.
///
/// It keeps etcd's rules, and its limits (128 operations a transaction, 1.5 MiB a request), so that
/// what runs here runs there. Two things it can do that etcd cannot: leases may be shorter than a
/// second, and are granted exactly as asked.
///
/// It has no task. A lease that runs out is taken away by whoever looks next, and every watch wakes
/// at the time when the next lease would run out, so nobody can tell the difference. When the last
/// clone is dropped, its watches end with an error.
///
/// # Defaults
///
/// Keeps the latest 10 000 events for watches and for reads of the past.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

struct Inner {
    state: State,
    available: bool,
    breaks: u64,
}

/// What is kept for watches and for reads of the past, in events.
const HISTORY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

// === impl MemoryStore ===

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store, at revision 1.
    #[must_use]
    pub fn new() -> Self {
        Self::keeping(HISTORY)
    }

    /// An empty store that keeps at least the latest revision and at most this many events.
    #[must_use]
    pub fn keeping(events: NonZeroUsize) -> Self {
        let inner = Mutex::new(Inner {
            state: State::new(events, Leases::default()),
            available: true,
            breaks: 0,
        });
        let (changed, _) = watch::channel(());
        Self(Arc::new(Shared { inner, changed }))
    }

    /// Forgets what happened before `revision`: it can no longer be read or watched from.
    ///
    /// # Errors
    ///
    /// If that is done already, or if `revision` is yet to come.
    pub fn compact(&self, revision: i64) -> Result<(), StoreError> {
        self.0
            .with(clock::now(), |inner| inner.state.compact(revision))
    }

    /// Simulates an outage, for tests: while it lasts, every call fails with
    /// [`StoreError::Unavailable`], a new watch fails at once, and an open one stalls.
    ///
    /// Time goes on: leases run out meanwhile, as they do for a client that is cut off. When it is
    /// over, an open watch delivers everything that it missed.
    pub fn set_available(&self, available: bool) {
        self.0.inner.lock().available = available;
        self.0.changed.send_replace(());
    }

    /// Breaks every open watch, for tests: each ends with [`StoreError::Unavailable`].
    pub fn break_watches(&self) {
        self.0.inner.lock().breaks += 1;
        self.0.changed.send_replace(());
    }

    /// A future that does something with the state when it is polled.
    fn call<T, F>(&self, act: F) -> StoreFuture<'_, T>
    where
        T: Send,
        F: FnOnce(&mut State, Instant) -> Result<T, StoreError> + Send + 'static,
    {
        Box::pin(async move {
            let now = clock::now();
            self.0.with(now, |inner| {
                inner.check_available()?;
                act(&mut inner.state, now)
            })
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(shared) = self;
        shared.fmt(f)
    }
}

impl Store for MemoryStore {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.call(move |state, _| state.range(&range))
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.call(move |state, _| state.txn(txn))
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.call(move |state, now| {
            let id = state.leases.grant(ttl, now)?;
            Ok(Lease { id, ttl })
        })
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.call(move |state, now| state.leases.keep_alive(lease, now))
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.call(move |state, _| state.revoke(lease))
    }

    fn abandon(&self, lease: LeaseId) {
        let revoked = self.0.with(clock::now(), |inner| {
            inner.check_available()?;
            inner.state.revoke(lease)
        });
        if let Err(error) = revoked {
            tracing::debug!(%error, "lease not given back, it will run out");
        }
    }

    fn abandon_with(&self, last: Txn, lease: LeaseId) {
        let said = self.0.with(clock::now(), |inner| {
            inner.check_available()?;
            inner.state.txn(last)
        });
        if let Err(error) = said {
            tracing::debug!(%error, "left without a word");
        }
        self.abandon(lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.call(move |state, now| state.leases.status(lease, now))
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        let changed = self.0.changed.subscribe();
        let begun = self.0.with(clock::now(), |inner| {
            inner.check_available()?;
            Ok((inner.state.revision(), inner.breaks))
        });
        let (revision, breaks) = match begun {
            Ok(begun) => begun,
            Err(error) => return stream::iter([Err(StoreError::into(error))]).boxed(),
        };
        let shared = Arc::downgrade(&self.0);
        let watcher = Watcher::new(watch, shared, changed, revision, breaks);
        let next = |mut watcher: Watcher| async move { Some((watcher.next().await?, watcher)) };
        stream::unfold(watcher, next).boxed()
    }
}

// === impl Shared ===

impl Shared {
    /// Does something with everything that is true at `now`, and wakes whom it concerns.
    fn with<T>(&self, now: Instant, act: impl FnOnce(&mut Inner) -> T) -> T {
        let (answer, wake) = {
            let mut inner = self.inner.lock();
            let seen = |state: &State| (state.revision(), state.history().compacted());
            let before = seen(&inner.state);
            inner.state.expire(now);
            let answer = act(&mut inner);
            // Nobody need hear of a lease before it has a key, which takes a revision.
            let wake = seen(&inner.state) != before;
            (answer, wake)
        };
        // Whoever comes from here on reads the state after this change: both hold the lock to do so.
        if wake && self.changed.receiver_count() > 0 {
            self.changed.send_replace(());
        }
        answer
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MemoryStore");
        match self.inner.try_lock() {
            Some(inner) => debug
                .field("revision", &inner.state.revision())
                .field("available", &inner.available)
                .finish_non_exhaustive(),
            None => debug.finish_non_exhaustive(),
        }
    }
}

// === impl Inner ===

impl Inner {
    fn check_available(&self) -> Result<(), StoreError> {
        if self.available {
            Ok(())
        } else {
            Err(StoreError::unavailable("an outage is being simulated"))
        }
    }
}
