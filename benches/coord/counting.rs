//! A store that counts the watches that are opened on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use ziggurat::coord::{
    Lease, LeaseId, LeaseStatus, Range, RangeResponse, Store, StoreFuture, Txn, TxnResponse, Watch,
    WatchStream,
};

/// Hands everything on.
#[derive(Debug)]
pub(crate) struct Counting {
    store: Arc<dyn Store>,
    watches: AtomicUsize,
}

// === impl Counting ===

impl Counting {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let watches = AtomicUsize::new(0);
        Self { store, watches }
    }

    /// How many were opened so far.
    pub(crate) fn watches(&self) -> usize {
        self.watches.load(Ordering::Relaxed)
    }
}

impl Store for Counting {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
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
        self.watches.fetch_add(1, Ordering::Relaxed);
        self.store.watch(watch)
    }
}
