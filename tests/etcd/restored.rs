//! Another etcd under the address of the one that was there.

use super::{
    follower::{Follower, LONG, echo, store},
    support::{put, revision},
};
use futures_util::StreamExt;
use tokio::time;
use ziggurat::coord::{Keys, RegistrationState, Registry, Store, Watch, WatchError};
use ziggurat_testkit::{Etcd, Proxy};

const ENTRY: &str = r#"{"Op":0,"Addr":"10.0.0.9:80"}"#;

#[tokio::test]
async fn another_cluster_is_noticed_although_it_has_more_revisions() {
    let mut etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let far = store(proxy.url()).await;
    let registry = Registry::new(far.clone() as _);
    let registration = registry.register(echo("ours")).await.unwrap();
    put(&*far, "echo/old", ENTRY).await;
    let mut follower = Follower::of(&registry);
    follower.until(&["old", "ours"]).await;
    let before = revision(&*far).await;
    let from = before + 1;
    let mut watch = far.watch(Watch::new(Keys::prefix("w/")).from(from));
    assert_eq!(far.generation(), 0);

    proxy.lose(true);
    etcd.replace("another").await;
    let direct = store(etcd.url()).await;
    let mut now = 0;
    while now <= before + 20 {
        now = put(&*direct, "echo/new", ENTRY).await;
    }
    put(&*direct, "w/a", "missed by whoever goes on at the revision").await;
    proxy.lose(false);

    // The registration comes back there too, as its lease is unknown.
    follower.until(&["new", "ours"]).await;
    assert!(far.generation() > 0);
    registration.registered().await;
    assert_eq!(registration.state(), RegistrationState::Registered);
    let seen = time::timeout(LONG, async {
        loop {
            match watch.next().await {
                Some(Ok(batch)) => assert!(batch.events.is_empty()),
                seen => return seen,
            }
        }
    });
    let seen = seen.await.unwrap();
    let ended = matches!(
        seen,
        Some(Err(WatchError::Replaced | WatchError::Broken(_)))
    );
    assert!(ended, "{seen:?}");
    put(&*direct, "echo/more", ENTRY).await;
    follower.until(&["more", "new", "ours"]).await;
}

#[tokio::test]
async fn a_cluster_that_went_back_is_noticed_although_it_has_the_same_name() {
    let mut etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let far = store(proxy.url()).await;
    for n in 0..30 {
        put(&*far, "other", &n.to_string()).await;
    }
    put(&*far, "echo/old", ENTRY).await;
    let registry = Registry::new(far.clone() as _);
    let mut follower = Follower::of(&registry);
    follower.until(&["old"]).await;
    proxy.lose(true);
    // What etcd calls its cluster if nobody says otherwise.
    etcd.replace("etcd-cluster").await;
    let direct = store(etcd.url()).await;
    put(&*direct, "echo/new", ENTRY).await;
    proxy.lose(false);
    follower.until(&["new"]).await;
    assert!(far.generation() > 0);
    put(&*direct, "echo/more", ENTRY).await;
    follower.until(&["more", "new"]).await;
}

#[tokio::test]
async fn an_idle_watch_hears_that_its_cluster_was_replaced() {
    let mut etcd = Etcd::start().await;
    let far = store(etcd.url()).await;
    let from = put(&*far, "w/a", "1").await;
    let mut watch = far.watch(Watch::new(Keys::prefix("w/")).from(from));
    assert!(matches!(watch.next().await, Some(Ok(_))));
    etcd.replace("another").await;
    // It breaks while there is nobody, or goes on with the other one; nobody watches in vain.
    let seen = time::timeout(LONG, watch.next()).await.unwrap();
    assert!(matches!(seen, Some(Err(_))), "{seen:?}");
    let asked = time::timeout(LONG, revision(&*far)).await.unwrap();
    assert!(asked < from && far.generation() > 0);
}
