//! What the tests of this folder share.

use futures_util::StreamExt;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};
use tokio::task::JoinSet;
use ziggurat::coord::{
    ConfigHandle, EventKind, Keys, Lease, LeaseId, LeaseStatus, MemoryStore, Put, Range,
    RangeResponse, Registration, Store, StoreFuture, Txn, TxnResponse, Watch, WatchBatch,
    WatchStream,
};

pub(super) type AnyStore = Arc<dyn Store>;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// So long may anything take that happens at all, on a machine that is busy.
pub(super) const LONG: Duration = Duration::from_secs(120);

/// Looks on: counts questions, watches of prefixes and renewals, and can make every call hang, or
/// take its time.
#[derive(Debug, Default)]
pub(super) struct Spy {
    pub(super) store: MemoryStore,
    /// Where each of them began.
    pub(super) opened: Mutex<Vec<i64>>,
    pub(super) open: Arc<AtomicUsize>,
    pub(super) renewals: AtomicUsize,
    /// All round trips but those.
    pub(super) questions: AtomicUsize,
    pub(super) hangs: AtomicBool,
    /// Whether every call pends once before it is done and once after.
    pub(super) dawdles: AtomicBool,
    /// The most time that it gives to a lease, if that is bounded.
    pub(super) stingy: Mutex<Option<Duration>>,
    /// Dropped when the next lease has been granted, before the answer is seen.
    pub(super) dropped_by_grant: Mutex<Option<Registration>>,
}

/// One store, and then, after a restore, another one.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) before: MemoryStore,
    pub(super) after: MemoryStore,
    pub(super) restored: AtomicBool,
    /// Whether it says so.
    pub(super) counts: AtomicBool,
}

struct Open(Arc<AtomicUsize>);

/// Something that goes on by itself, and ends with this.
pub(super) struct Task<T>(JoinSet<T>);

pub(super) async fn revision(store: &dyn Store) -> i64 {
    store.range(Range::one("nothing")).await.unwrap().revision
}

pub(super) async fn put(store: &dyn Store, key: &str, value: &str) -> i64 {
    let put = Put::new(key.to_owned(), value.to_owned());
    store.put(put).await.unwrap().revision
}

pub(super) async fn next(watch: &mut WatchStream) -> WatchBatch {
    let batch = tokio::time::timeout(Duration::from_secs(60), watch.next());
    batch.await.expect("a batch comes").unwrap().unwrap()
}

/// What a watch delivers up to this revision, as text.
pub(super) async fn collect(watch: &mut WatchStream, revision: i64) -> Vec<String> {
    let mut seen = Vec::new();
    let mut reached = 0;
    while reached < revision {
        let batch = next(watch).await;
        for event in batch.events {
            assert!((reached + 1..=batch.revision).contains(&event.kv.mod_revision));
            let sign = if event.kind == EventKind::Put {
                '+'
            } else {
                '-'
            };
            let (key, value) = (event.kv.key.escape_ascii(), event.kv.value.escape_ascii());
            seen.push(format!("{sign}{key} {value}"));
        }
        reached = batch.revision;
    }
    seen
}

/// All keys under a prefix, with their values, as text.
pub(super) async fn keys(store: &dyn Store, prefix: &'static str) -> Vec<(String, String)> {
    let found = store.range(Range::prefix(prefix)).await.unwrap();
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let kvs = found.kvs.iter();
    kvs.map(|kv| (text(&kv.key), text(&kv.value))).collect()
}

/// Waits until something is so.
pub(super) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(5 * MS).await;
        }
    };
    tokio::time::timeout(LONG, waiting)
        .await
        .expect("it comes true");
}

/// Waits until so many stand in line, or hold it.
pub(super) async fn in_line(store: &dyn Store, prefix: &'static str, count: usize) {
    until(async || keys(store, prefix).await.len() == count).await;
}

/// The next value in force; a test that waits in vain fails instead of hanging.
pub(super) async fn changed<T>(handle: &mut ConfigHandle<T>) -> Arc<T> {
    let changed = tokio::time::timeout(LONG, handle.changed()).await;
    changed.expect("a change comes").unwrap()
}

/// Polls once.
pub(super) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

impl<T: Send + 'static> Task<T> {
    pub(super) fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        let mut task = JoinSet::new();
        task.spawn(work);
        Self(task)
    }

    /// Lets some time go by, in which it does not come to an end.
    pub(super) async fn waits(&mut self) {
        let done = tokio::time::timeout(200 * MS, self.0.join_next());
        assert!(done.await.is_err(), "it does not wait");
    }

    pub(super) async fn done(mut self) -> T {
        let done = tokio::time::timeout(LONG, self.0.join_next()).await;
        done.expect("it comes to an end").unwrap().unwrap()
    }
}

impl Spy {
    /// How many round trips there were since the last time of asking.
    pub(super) fn asked(&self) -> usize {
        self.questions.swap(0, SeqCst)
    }

    pub(super) fn opened(&self) -> usize {
        self.opened.lock().unwrap().len()
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    pub(super) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, SeqCst);
    }

    fn pass<'a, T: Send + 'a>(&'a self, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            if self.hangs.load(SeqCst) {
                std::future::pending::<()>().await;
            }
            if !self.dawdles.load(SeqCst) {
                return answer.await;
            }
            tokio::task::yield_now().await;
            let answer = answer.await;
            tokio::task::yield_now().await;
            answer
        })
    }
}

impl Store for Spy {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.questions.fetch_add(1, SeqCst);
        self.pass(self.store.range(range))
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.questions.fetch_add(1, SeqCst);
        self.pass(self.store.txn(txn))
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.questions.fetch_add(1, SeqCst);
        let most = *self.stingy.lock().unwrap();
        let ttl = most.map_or(ttl, |most| ttl.min(most));
        Box::pin(async move {
            let lease = self.pass(self.store.grant(ttl)).await;
            let dropped = self.dropped_by_grant.lock().unwrap().take();
            drop(dropped);
            lease
        })
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.renewals.fetch_add(1, SeqCst);
        self.pass(self.store.keep_alive(lease))
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.questions.fetch_add(1, SeqCst);
        self.pass(self.store.revoke(lease))
    }

    fn abandon(&self, lease: LeaseId) {
        self.store.abandon(lease);
    }

    fn abandon_with(&self, last: Txn, lease: LeaseId) {
        self.store.abandon_with(last, lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.pass(self.store.time_to_live(lease))
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        let is_one = watch.keys == Keys::one(watch.keys.start().clone());
        let from = watch.from;
        let batches = self.store.watch(watch);
        if is_one {
            return batches;
        }
        self.opened.lock().unwrap().push(from);
        self.open.fetch_add(1, SeqCst);
        let open = Open(Arc::clone(&self.open));
        batches
            .map(move |batch| {
                let _open = &open;
                batch
            })
            .boxed()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Restored {
    fn now(&self) -> &MemoryStore {
        if self.restored.load(SeqCst) {
            &self.after
        } else {
            &self.before
        }
    }
}

impl Store for Restored {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.now().range(range)
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.now().txn(txn)
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.now().grant(ttl)
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.now().keep_alive(lease)
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        self.now().revoke(lease)
    }

    fn abandon(&self, lease: LeaseId) {
        self.now().abandon(lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.now().time_to_live(lease)
    }

    fn generation(&self) -> u64 {
        u64::from(self.counts.load(SeqCst) && self.restored.load(SeqCst))
    }

    fn watch(&self, watch: Watch) -> WatchStream {
        self.now().watch(watch)
    }
}
