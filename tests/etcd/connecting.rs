//! Getting to a cluster, and staying in touch with it.

use super::{
    slot::slot,
    support::{collect, next, put, revision},
};
use std::time::Duration;
use tokio::time;
use ziggurat::coord::{EtcdSettings, EtcdStore, Keys, Put, Range, Store, StoreError, Watch};
use ziggurat_core::Backoff;
use ziggurat_testkit::{BlackHole, Etcd, EtcdCluster, RefusingAddress};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);

fn settings(urls: &[String]) -> EtcdSettings {
    let settings = EtcdSettings::new(urls).unwrap();
    settings.try_timeout(500 * MS).unwrap()
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_a_typed_error_that_names_it() {
    let (refusing, hole) = (RefusingAddress::new(), BlackHole::start().await);
    for address in [refusing.address(), hole.address()] {
        let url = format!("http://{address}");
        let connecting = EtcdStore::connect(settings(std::slice::from_ref(&url)));
        let error = time::timeout(LONG, connecting).await.unwrap().unwrap_err();
        let StoreError::Unavailable { reason } = error else {
            panic!("{error:?}");
        };
        assert!(reason.contains(&url), "{reason}");
        // And every question, if nobody asked before.
        let store = EtcdStore::lazy(settings(&[url]));
        let asked = time::timeout(LONG, store.range(Range::one("a"))).await;
        assert!(asked.unwrap().unwrap_err().is_transient());
    }
}

#[tokio::test]
async fn one_good_member_is_enough() {
    let etcd = Etcd::start().await;
    let (refusing, hole) = (RefusingAddress::new(), BlackHole::start().await);
    let url = |address| format!("http://{address}");
    let urls = [url(refusing.address()), url(hole.address()), etcd.url()];
    let store = EtcdStore::connect(settings(&urls)).await.unwrap();
    for n in 0..10 {
        put(&store, "a", &n.to_string()).await;
    }
    // Asked once, and then left alone.
    assert!(hole.accepted() <= 2, "{}", hole.accepted());
}

#[tokio::test]
async fn settings_that_no_clock_can_hold_work() {
    let etcd = Etcd::start().await;
    let long = EtcdSettings::new([etcd.url()]).unwrap();
    let long = long.try_timeout(Duration::MAX).unwrap();
    let long = long.keep_alive(Duration::MAX, Duration::MAX).unwrap();
    let long = long.silence(Duration::MAX).unwrap();
    let long = long.reconnect(Backoff::new(Duration::MAX, 2.0, Duration::MAX).unwrap());
    let store = EtcdStore::connect(long).await.unwrap();
    let mut watch = store.watch(Watch::new(Keys::prefix("a")).from(1));
    put(&store, "a", "1").await;
    assert_eq!(next(&mut watch).await.events.len(), 1);
}

#[tokio::test]
async fn a_restarted_server_is_found_again_whatever_was_tried_meanwhile() {
    let mut etcd = Etcd::start().await;
    let store = EtcdStore::connect(settings(&[etcd.url()])).await.unwrap();
    let before = put(&store, "a", "1").await;
    etcd.kill();
    for _ in 0..3 {
        let error = store.range(Range::one("a")).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
    etcd.restart().await;
    let found = time::timeout(LONG, async {
        loop {
            if let Ok(found) = store.range(Range::one("a")).await {
                return found;
            }
        }
    });
    assert_eq!(found.await.unwrap().kvs[0].mod_revision, before);
}

#[tokio::test]
async fn a_frozen_member_is_left_and_a_watch_misses_nothing() {
    let _slot = slot().await;
    let cluster = EtcdCluster::start(3).await;
    let settings = settings(&cluster.urls()).silence(500 * MS).unwrap();
    let store = EtcdStore::connect(settings).await.unwrap();
    let from = revision(&store).await + 1;
    let watch = || Watch::new(Keys::prefix("f/")).from(from);
    let mut watched = store.watch(watch());
    let mut seen = Vec::new();
    let mut last = 0;
    for (n, member) in cluster.members.iter().enumerate() {
        member.freeze();
        // When the frozen one was asked, nobody knows whether it is done: it may happen twice.
        let written = time::timeout(LONG, async {
            loop {
                let put = Put::new(format!("f/{n}"), "");
                if let Ok(written) = store.put(put).await {
                    return written.revision;
                }
            }
        });
        last = written.await.unwrap();
        seen.extend(collect(&mut watched, last).await);
        member.thaw();
    }
    // What a watch sees that was never disturbed; what was given up may still be done after that.
    let mut all = collect(&mut store.watch(watch()), last).await;
    all.truncate(seen.len());
    assert_eq!(seen, all);
    assert!(
        ["+f/0 ", "+f/1 ", "+f/2 "]
            .iter()
            .all(|put| seen.contains(&(*put).to_owned()))
    );
}

#[tokio::test]
async fn a_user_signs_in_and_signs_in_again_when_forgotten() {
    let etcd = Etcd::start().await;
    let mut admin = etcd_client::Client::connect([etcd.url()], None)
        .await
        .unwrap();
    admin.user_add("root", "secret", None).await.unwrap();
    admin.user_grant_role("root", "root").await.unwrap();
    let as_root = settings(&[etcd.url()]).user("root", "secret");
    // As long as there are no users, everybody is one.
    let early = EtcdStore::connect(as_root.clone()).await.unwrap();
    admin.auth_enable().await.unwrap();

    let denied = |error| matches!(error, StoreError::Denied { .. });
    let nobody = EtcdStore::connect(settings(&[etcd.url()])).await;
    assert!(denied(nobody.unwrap_err()));
    let wrong = EtcdStore::connect(settings(&[etcd.url()]).user("root", "guess")).await;
    assert!(denied(wrong.unwrap_err()));
    let store = EtcdStore::connect(as_root).await.unwrap();
    put(&store, "a", "1").await;
    put(&early, "a", "2").await;

    // etcd forgets all tokens of a user whose password is set.
    let options = etcd_client::ConnectOptions::new().with_user("root", "secret");
    let mut admin = etcd_client::Client::connect([etcd.url()], Some(options))
        .await
        .unwrap();
    for _ in 0..2 {
        admin.user_change_password("root", "secret").await.unwrap();
        admin.refresh_token().await.unwrap();
        let from = put(&store, "a", "3").await;
        admin.user_change_password("root", "secret").await.unwrap();
        admin.refresh_token().await.unwrap();
        let mut watch = store.watch(Watch::new(Keys::one("a")).from(from));
        assert_eq!(next(&mut watch).await.revision, from);
        let lease = store.grant(Duration::from_secs(5)).await.unwrap();
        store.keep_alive(lease.id).await.unwrap();
    }
}
