//! More instances than fit in one answer.

use super::support::{Spy, put};
use futures_util::StreamExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time;
use ziggurat::coord::{
    ConfigCenter, Delete, Lease, LeaseId, LeaseStatus, MemoryStore, Range, RangeResponse, Registry,
    Store, StoreFuture, Txn, TxnResponse, Watch, WatchStream,
};
use ziggurat_core::{Change, Resolve};

/// Something happens before every question for a page but the first.
struct Between<F> {
    store: MemoryStore,
    pages: AtomicUsize,
    act: F,
}

impl<F> std::fmt::Debug for Between<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}

impl<F: Fn(&MemoryStore, usize) + Send + Sync + 'static> Store for Between<F> {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        assert!(range.limit > 0, "nobody asks for all at once");
        let page = self.pages.fetch_add(1, SeqCst);
        (self.act)(&self.store, page);
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
        self.store.watch(watch)
    }
}

const ENTRY: &str = r#"{"Op":0,"Addr":"10.0.0.1:80"}"#;

/// A store with so many instances of echo.
async fn with(count: usize) -> MemoryStore {
    let store = MemoryStore::new();
    for n in 0..count {
        put(&store, &format!("echo/{n:05}"), ENTRY).await;
    }
    store
}

fn now<T>(question: StoreFuture<'_, T>) -> T {
    futures_util::FutureExt::now_or_never(question)
        .unwrap()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_instances_are_listed_and_followed_as_they_were_at_one_moment() {
    let store = with(10_000).await;
    // While they are read, the first goes and one comes at the end.
    let act = |store: &MemoryStore, page: usize| {
        if page == 3 {
            now(store.delete(Delete::one("echo/00000")));
            now(store.put(ziggurat::coord::Put::new("echo/99999", ENTRY)));
        }
    };
    let pages = AtomicUsize::new(0);
    let between = Arc::new(Between { store, pages, act });
    let registry = Registry::new(Arc::clone(&between) as _);
    let listed = registry.list("echo").await.unwrap();
    assert_eq!((listed.len(), listed[0].id().as_str()), (10_000, "00000"));
    assert_eq!(between.pages.swap(0, SeqCst), 10);

    let mut changes = registry.resolve("echo");
    let Some(Ok(Change::All(all))) = changes.next().await else {
        panic!("no snapshot");
    };
    assert_eq!(all.len(), 10_000);
    let last = all[9_999].id().as_str();
    assert!(last == "99999" || last == "09999", "{last}");
}

#[tokio::test(start_paused = true)]
async fn what_changes_between_two_pages_is_told_after_them() {
    let store = with(2_500).await;
    let act = |store: &MemoryStore, page: usize| {
        if page == 1 {
            now(store.delete(Delete::one("echo/00000")));
            now(store.delete(Delete::one("echo/02499")));
        }
    };
    let pages = AtomicUsize::new(0);
    let registry = Registry::new(Arc::new(Between { store, pages, act }));
    let mut watch = registry.watch("echo");
    while watch.instances().count() != 2_498 {
        let heard = time::timeout(Duration::from_secs(60), watch.next()).await;
        heard.expect("what went is told").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_compaction_between_two_pages_begins_them_anew() {
    let store = with(2_500).await;
    let compact = |store: &MemoryStore| {
        let written = now(store.put(ziggurat::coord::Put::new("other", "")));
        store.compact(written.revision).unwrap();
    };
    let once = move |store: &MemoryStore, page: usize| {
        if page == 1 {
            compact(store);
        }
    };
    let pages = AtomicUsize::new(0);
    let registry = Registry::new(Arc::new(Between {
        store: store.clone(),
        pages,
        act: once,
    }));
    assert_eq!(registry.list("echo").await.unwrap().len(), 2_500);

    // Compacted all the time, it is an error and not a loop.
    let always = move |store: &MemoryStore, _: usize| compact(store);
    let pages = AtomicUsize::new(0);
    let between = Arc::new(Between {
        store,
        pages,
        act: always,
    });
    let registry = Registry::new(Arc::clone(&between) as _);
    let error = registry.list("echo").await.unwrap_err();
    assert!(
        error.is_transient() && between.pages.load(SeqCst) <= 6,
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn settings_are_listed_in_pages_as_well() {
    let spy = Arc::new(Spy::default());
    let center = ConfigCenter::new(Arc::clone(&spy) as _);
    for n in 0..1_001 {
        center
            .set(&format!("many/{n:04}"), &n.to_string())
            .await
            .unwrap();
    }
    spy.asked();
    let listed = center.list("many").await.unwrap();
    assert_eq!((listed.len(), &*listed[1_000]), (1_001, "many/1000"));
    assert_eq!(spy.asked(), 2);
}
