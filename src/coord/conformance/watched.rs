//! A store that is watched by a test.

use crate::coord::store::{
    Lease, LeaseId, LeaseStatus, Range, RangeResponse, Store, StoreFuture, Txn, TxnResponse, Watch,
    WatchStream,
};
use futures_util::StreamExt;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// Hands everything on to a store, and counts what is asked of it: for tests of what stands above.
pub struct Watched {
    store: Arc<dyn Store>,
    ranges: AtomicUsize,
    opened: AtomicUsize,
    open: Arc<AtomicUsize>,
    before_range: Option<BeforeRange>,
}

type BeforeRange = Box<dyn Fn(usize) + Send + Sync>;

struct Open(Arc<AtomicUsize>);

// === impl Watched ===

impl Watched {
    /// Watches what is asked of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            ranges: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            open: Arc::default(),
            before_range: None,
        }
    }

    /// Does this before each range is read; it is told how many were read before.
    #[must_use]
    pub fn before_range(mut self, act: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.before_range = Some(Box::new(act));
        self
    }

    /// How many ranges were read so far.
    pub fn ranges(&self) -> usize {
        self.ranges.load(SeqCst)
    }

    /// How many watches were opened so far.
    pub fn opened(&self) -> usize {
        self.opened.load(SeqCst)
    }

    /// How many watches are open now.
    pub fn open(&self) -> usize {
        self.open.load(SeqCst)
    }
}

impl Store for Watched {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        let before = self.ranges.fetch_add(1, SeqCst);
        if let Some(act) = &self.before_range {
            act(before);
        }
        self.store.range(range)
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.store.txn(txn)
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.store.grant(ttl)
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.store.keep_alive(lease)
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.store.revoke(lease)
    }

    fn abandon(&self, lease: LeaseId) {
        self.store.abandon(lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.store.time_to_live(lease)
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        self.opened.fetch_add(1, SeqCst);
        self.open.fetch_add(1, SeqCst);
        let open = Open(Arc::clone(&self.open));
        let batches = self.store.watch(watch);
        batches
            .map(move |batch| {
                let _open = &open;
                batch
            })
            .boxed()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("store", &self.store)
            .field("ranges", &self.ranges)
            .field("opened", &self.opened)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
