//! A store that is counted, and whose answers go astray as a test says.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use ziggurat::coord::{
    Lease, LeaseId, LeaseStatus, Range, RangeResponse, Store, StoreError, StoreFuture, Txn,
    TxnResponse, Watch, WatchStream,
};

/// Passes everything on, as long as the script does not say anything else.
pub(super) struct Script {
    store: Arc<dyn Store>,
    asked: AtomicUsize,
    script: Box<dyn Fn(usize) -> Fate + Send + Sync>,
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// It never arrives, and whoever asked is told.
    Unsent,
    /// It is done, and whoever asked is told that nobody knows.
    AnswerLost,
    /// It is done, and whoever asked hears nothing.
    AnswerAwaited,
}

// === impl Script ===

impl Script {
    /// Only counts.
    pub(super) fn counting(store: Arc<dyn Store>) -> Arc<Self> {
        Self::new(store, |_| Fate::Answered)
    }

    /// The script is asked about every question, by its number from 0 on. Leases that are abandoned
    /// ask the question `usize::MAX`.
    pub(super) fn new(
        store: Arc<dyn Store>,
        script: impl Fn(usize) -> Fate + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            asked: AtomicUsize::new(0),
            script: Box::new(script),
        })
    }

    /// How many questions there were since the last time of asking; watches are none.
    pub(super) fn asked(&self) -> usize {
        self.asked.swap(0, SeqCst)
    }

    fn pass<'a, T: Send + 'a>(&'a self, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        let fate = (self.script)(self.asked.fetch_add(1, SeqCst));
        Box::pin(async move {
            let lost = StoreError::unavailable("as the script says");
            match fate {
                Fate::Answered => answer.await,
                Fate::Unsent => Err(lost),
                Fate::AnswerLost => Err(answer.await.err().unwrap_or(lost)),
                Fate::AnswerAwaited => {
                    let _answer = answer.await;
                    std::future::pending().await
                }
            }
        })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Store for Script {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.pass(self.store.range(range))
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.pass(self.store.txn(txn))
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.pass(self.store.grant(ttl))
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.pass(self.store.keep_alive(lease))
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.pass(self.store.revoke(lease))
    }

    fn abandon(&self, lease: LeaseId) {
        if (self.script)(usize::MAX) != Fate::Unsent {
            self.store.abandon(lease);
        }
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.store.time_to_live(lease)
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        self.store.watch(watch)
    }
}
