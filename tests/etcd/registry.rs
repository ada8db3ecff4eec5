//! The registry on etcd: what is written, and what happens when etcd is away.

use super::{
    follower::{Follower, LONG, echo, store},
    support::{put, until},
};
use std::{sync::Arc, time::Duration};
use tokio::time;
use ziggurat::coord::{
    Delete, EtcdSettings, EtcdStore, KeyLayout, Locks, Range, RegistrationState as State, Registry,
    Store,
};
use ziggurat_core::Instance;
use ziggurat_testkit::{Etcd, Proxy};

#[tokio::test]
async fn what_is_written_is_what_other_languages_read() {
    let etcd = Etcd::start().await;
    let store = store(etcd.url()).await;
    let raw = async |key: &str| {
        let found = store.range(Range::prefix(key.to_owned())).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let kv = found.kvs.first().unwrap();
        (text(&kv.key), text(&kv.value), kv.lease)
    };
    let naming = Registry::new(Arc::clone(&store) as _);
    let _plain = naming.register(echo("echo-1")).await.unwrap();
    let (key, value, lease) = raw("echo/").await;
    assert_eq!(key, "echo/echo-1");
    assert_eq!(value, r#"{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}"#);
    let granted = store.time_to_live(lease).await.unwrap();
    assert_eq!(
        (granted.granted, granted.keys),
        (LONG, vec!["echo/echo-1".into()])
    );

    let gochat = naming.clone().layout(KeyLayout::Gochat);
    let instance = Instance::new("im-logic", "im-logic-instance-01", "10.0.1.10", 8080).unwrap();
    let instance = instance.with_metadata("region", "us-east-1");
    let _go = gochat.register(instance).await.unwrap();
    let (key, value, _) = raw("/services/").await;
    assert_eq!(key, "/services/im-logic/im-logic-instance-01");
    let expected = r#"{"id":"im-logic-instance-01","name":"im-logic","address":"10.0.1.10","port":8080,"metadata":{"region":"us-east-1"}}"#;
    assert_eq!(value, expected);

    // And the other way: what Go's naming package and etcdctl put is found; nonsense is skipped.
    put(
        &*store,
        "echo/go",
        r#"{"Op":0,"Addr":"[::1]:9000","Metadata":"v1"}"#,
    )
    .await;
    put(&*store, "echo/bad", "{").await;
    let mut follower = Follower::of(&naming);
    follower.until(&["echo-1", "go"]).await;
    assert_eq!(follower.known["go"].authority(), "[::1]:9000");
    assert!(naming.skipped() > 0);
}

#[tokio::test]
async fn a_lost_lease_is_registered_again_and_a_dropped_registration_is_gone() {
    let etcd = Etcd::start().await;
    let (store, other) = (store(etcd.url()).await, store(etcd.url()).await);
    let registry = Registry::new(Arc::clone(&store) as _);
    let here = Registry::new(Arc::clone(&other) as _);
    let mut follower = Follower::of(&here);
    let registration = registry.register(echo("a")).await.unwrap();
    follower.until(&["a"]).await;
    let lease = async || {
        let found = other.range(Range::one("echo/a")).await.unwrap();
        found.kvs.first().map(|kv| kv.lease)
    };
    let first = lease().await.unwrap();
    other.revoke(first).await.unwrap();
    follower.until(&[]).await;
    follower.until(&["a"]).await;
    assert_ne!(lease().await, Some(first));
    // Somebody deletes the entry.
    other.delete(Delete::one("echo/a")).await.unwrap();
    follower.until(&[]).await;
    follower.until(&["a"]).await;
    time::timeout(LONG, registration.registered())
        .await
        .unwrap();
    drop(registration);
    follower.until(&[]).await;
    // It said goodbye, and its lease is ended right after that.
    let ended = async { while lease().await.is_some() {} };
    time::timeout(LONG, ended).await.unwrap();
}

#[tokio::test]
async fn through_a_power_cut_of_etcd_what_was_known_stays_and_is_caught_up_with() {
    let mut etcd = Etcd::start().await;
    let registry = Registry::new(store(etcd.url()).await as _);
    let stays = registry.register(echo("a")).await.unwrap();
    let goes = registry.register(echo("b")).await.unwrap();
    let mut follower = Follower::of(&registry);
    follower.until(&["a", "b"]).await;
    etcd.kill();
    while follower.troubles == 0 {
        follower.next().await;
    }
    assert!(follower.known.keys().eq(["a", "b"]));
    assert!(registry.list("echo").await.unwrap_err().is_transient());
    etcd.restart().await;
    let waits = time::timeout(LONG, registry.register(echo("c")).into_future());
    let _comes = waits.await.unwrap().unwrap();
    follower.until(&["a", "b", "c"]).await;
    goes.deregister().await.unwrap();
    follower.until(&["a", "c"]).await;
    assert_eq!(stays.state(), State::Registered);
    let listed = registry.list("echo").await.unwrap();
    let listed: Vec<_> = listed.iter().map(|it| it.id().to_string()).collect();
    assert!(follower.known.keys().eq(&listed));
}

#[tokio::test]
async fn after_a_compaction_during_a_cut_only_the_difference_is_told() {
    let etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let direct = store(etcd.url()).await;
    let here = Registry::new(Arc::clone(&direct) as _);
    let _kept = here.register(echo("kept")).await.unwrap();
    let goes = here.register(echo("goes")).await.unwrap();
    let registry = Registry::new(store(proxy.url()).await as _);
    let mut follower = Follower::of(&registry);
    follower.until(&["goes", "kept"]).await;
    let before = Arc::clone(&follower.known["kept"]);
    proxy.lose(true);
    goes.deregister().await.unwrap();
    let _comes = here.register(echo("comes")).await.unwrap();
    let mut last = 0;
    for n in 0..5 {
        last = put(&*direct, "other", &n.to_string()).await;
    }
    etcd.compact(last);
    proxy.lose(false);
    let (applied, troubles) = (follower.applied, follower.troubles);
    follower.until(&["comes", "kept"]).await;
    let told = follower.applied - applied - (follower.troubles - troubles);
    assert_eq!(told, 2, "one came, one went");
    assert!(Arc::ptr_eq(&follower.known["kept"], &before));
}

#[tokio::test]
async fn what_is_dropped_together_with_its_store_is_given_back() {
    let etcd = Etcd::start().await;
    let settings = EtcdSettings::new([etcd.url()]).unwrap();
    let ours = async || Arc::new(EtcdStore::connect(settings.clone()).await.unwrap());
    {
        let registry = Registry::new(ours().await);
        let _registration = registry.register(echo("echo-1")).await.unwrap();
        let locks = Locks::new(ours().await);
        let _guard = locks.acquire("x").await.unwrap();
        drop((registry, locks));
    }
    let theirs = ours().await;
    let count = async |prefix: &'static str| {
        let found = theirs.range(Range::prefix(prefix)).await.unwrap();
        found.count
    };
    let nothing = until(async || count("echo/").await + count("/locks/").await == 0);
    // Well before their leases, of 30 s, run out.
    let given_back = time::timeout(Duration::from_secs(15), nothing).await;
    assert!(given_back.is_ok(), "the leases have to run out");
}
