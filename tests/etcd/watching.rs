//! Watches that go on whatever happens to their connection.

use super::support::{collect, next, put, revision};
use futures_util::StreamExt;
use std::time::Duration;
use ziggurat::coord::{
    Delete, EtcdSettings, EtcdStore, EventKind, Keys, Range, Store, StoreError, Watch, WatchError,
};
use ziggurat_core::Backoff;
use ziggurat_testkit::{Etcd, Proxy};

const MS: Duration = Duration::from_millis(1);

/// An etcd, a store that reaches it directly, and one that reaches it by a way that can be lost.
async fn two_ways() -> (Etcd, EtcdStore, Proxy, EtcdStore) {
    let etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let store = async |url| {
        let settings = EtcdSettings::new([url]).unwrap();
        let settings = settings.try_timeout(500 * MS).unwrap();
        let settings = settings.silence(200 * MS).unwrap();
        // Well below the time of a try: nobody else is to be asked here.
        let reconnect = Backoff::new(60 * MS, 2.0, 240 * MS).unwrap();
        let settings = settings.reconnect(reconnect);
        EtcdStore::connect(settings).await.unwrap()
    };
    let direct = store(etcd.url()).await;
    let far = store(proxy.url()).await;
    (etcd, direct, proxy, far)
}

#[tokio::test]
async fn a_watch_that_is_cut_goes_on_after_the_last_revision() {
    let (_etcd, direct, proxy, far) = two_ways().await;
    let from = revision(&direct).await + 1;
    let mut watch = far.watch(Watch::new(Keys::prefix("w/")).from(from));
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    for n in 0..20 {
        // Before the first event, between two, and while one is on its way.
        if n % 3 == 0 {
            proxy.cut();
        }
        let last = put(&direct, "w/a", &n.to_string()).await;
        expected.push(format!("+w/a {n}"));
        if n % 2 == 0 {
            seen.extend(collect(&mut watch, last).await);
        }
    }
    let last = put(&direct, "w/a", "end").await;
    expected.push("+w/a end".to_owned());
    seen.extend(collect(&mut watch, last).await);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_silent_connection_is_found_out_and_the_watch_ends_or_goes_on() {
    let (_etcd, direct, proxy, far) = two_ways().await;
    let watch = || Watch::new(Keys::prefix("s/"));
    let from = put(&direct, "s/a", "1").await;
    let mut lost = far.watch(watch().from(from));
    assert_eq!(next(&mut lost).await.revision, from);
    proxy.lose(true);
    // Nobody else can be asked, so there is an end to it.
    let error = lost.next().await.unwrap().unwrap_err();
    let WatchError::Broken(StoreError::Unavailable { .. }) = error else {
        panic!("{error:?}");
    };
    assert!(lost.next().await.is_none());
    let last = put(&direct, "s/a", "2").await;
    proxy.lose(false);
    let mut found = far.watch(watch().from(from + 1));
    assert_eq!(collect(&mut found, last).await, ["+s/a 2"]);
    // Silence alone is no trouble: it is asked, and answers.
    tokio::time::sleep(1_500 * MS).await;
    let last = put(&direct, "s/a", "3").await;
    assert_eq!(collect(&mut found, last).await, ["+s/a 3"]);
}

#[tokio::test]
async fn what_was_compacted_meanwhile_is_an_error_of_its_own() {
    let (etcd, direct, proxy, far) = two_ways().await;
    let from = put(&direct, "c/a", "1").await;
    let mut watch = far.watch(Watch::new(Keys::prefix("c/")).from(from));
    assert_eq!(next(&mut watch).await.revision, from);
    proxy.lose(true);
    let mut at = 0;
    for n in 0..5 {
        at = put(&direct, "c/a", &n.to_string()).await;
    }
    etcd.compact(at);
    proxy.lose(false);
    let compacted = Err(WatchError::Compacted { at });
    assert_eq!(watch.next().await, Some(compacted.clone()));
    assert_eq!(watch.next().await, None);
    let mut late = direct.watch(Watch::new(Keys::prefix("c/")).from(from));
    assert_eq!(late.next().await, Some(compacted));
    let requested = at - 1;
    let past = direct.range(Range::one("c/a").at(requested)).await;
    assert_eq!(past, Err(StoreError::Compacted { requested, at }));
}

#[tokio::test]
async fn a_deletion_that_was_compacted_is_not_passed_over_in_silence() {
    let etcd = Etcd::start().await;
    let settings = EtcdSettings::new([etcd.url()]).unwrap();
    let store = EtcdStore::connect(settings).await.unwrap();
    put(&store, "d/a", "1").await;
    let deleted = store.delete(Delete::one("d/a")).await.unwrap().revision;
    etcd.compact(deleted);
    let last = put(&store, "d/b", "2").await;
    let mut watch = store.watch(Watch::new(Keys::prefix("d/")).from(deleted));
    match watch.next().await.unwrap() {
        Ok(batch) => assert_eq!(batch.events[0].kind, EventKind::Delete),
        Err(error) => assert_eq!(error, WatchError::Compacted { at: deleted }),
    }
    // From the one after it, nothing is missing.
    let mut watch = store.watch(Watch::new(Keys::prefix("d/")).from(last));
    assert_eq!(collect(&mut watch, last).await, ["+d/b 2"]);
}
