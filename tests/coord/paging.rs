//! More instances than fit in one answer.

use super::support::{Spy, put};
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::time;
use ziggurat::coord::{
    ConfigCenter, Delete, MemoryStore, Registry, Store, StoreFuture, conformance::Watched,
};
use ziggurat_core::{Change, Resolve};

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
    let own = store.clone();
    let act = move |page: usize| {
        if page == 3 {
            now(own.delete(Delete::one("echo/00000")));
            now(own.put(ziggurat::coord::Put::new("echo/99999", ENTRY)));
        }
    };
    let between = Arc::new(Watched::new(Arc::new(store)).before_range(act));
    let registry = Registry::new(Arc::clone(&between) as _);
    let listed = registry.list("echo").await.unwrap();
    assert_eq!((listed.len(), listed[0].id().as_str()), (10_000, "00000"));
    assert_eq!(between.ranges(), 10);

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
    let own = store.clone();
    let act = move |page: usize| {
        if page == 1 {
            now(own.delete(Delete::one("echo/00000")));
            now(own.delete(Delete::one("echo/02499")));
        }
    };
    let registry = Registry::new(Arc::new(Watched::new(Arc::new(store)).before_range(act)));
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
    let own = store.clone();
    let once = move |page: usize| {
        if page == 1 {
            compact(&own);
        }
    };
    let watched = Watched::new(Arc::new(store.clone())).before_range(once);
    let registry = Registry::new(Arc::new(watched));
    assert_eq!(registry.list("echo").await.unwrap().len(), 2_500);

    // Compacted all the time, it is an error and not a loop.
    let own = store.clone();
    let always = move |_: usize| compact(&own);
    let between = Arc::new(Watched::new(Arc::new(store)).before_range(always));
    let registry = Registry::new(Arc::clone(&between) as _);
    let error = registry.list("echo").await.unwrap_err();
    assert!(error.is_transient() && between.ranges() <= 6, "{error}");
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
