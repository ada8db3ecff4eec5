//! The registry in numbers, on etcd.

use super::{
    follower::{Follower, LONG, echo, store},
    support::{put, revision},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat::coord::{ConfigCenter, Delete, Heard, Op, Put, Range, Registry, Store, Txn};
use ziggurat_core::{Change, Dice, Instance};
use ziggurat_testkit::{Etcd, Proxy};

const SECOND: Duration = Duration::from_secs(1);

fn entry(port: usize) -> String {
    format!(r#"{{"Op":0,"Addr":"10.0.0.1:{port}"}}"#)
}

#[tokio::test]
async fn storms_raced_with_following_end_as_listed() {
    let etcd = Etcd::start().await;
    let direct = store(etcd.url()).await;
    for seed in 0..10 {
        println!("seed {seed}");
        let dice = Dice::seeded(seed);
        let proxy = Proxy::start(etcd.address()).await;
        let registry = Registry::new(store(proxy.url()).await as _);
        let (begin, compaction) = (dice.below(150), dice.below(200));
        let mut follower = None;
        for n in 0..200 {
            let key = format!("echo/{}", dice.below(20));
            if dice.below(3) == 0 {
                direct.delete(Delete::one(key)).await.unwrap();
            } else {
                put(&*direct, &key, &entry(1 + dice.below(3))).await;
            }
            if n == begin {
                let mut begun = Follower::of(&registry);
                // It follows at its own pace from now on.
                let (tell, told) = tokio::sync::oneshot::channel::<Vec<Instance>>();
                let mut task = JoinSet::new();
                task.spawn(async move {
                    let mut told = told;
                    let listed = loop {
                        tokio::select! {
                            listed = &mut told => break listed.unwrap(),
                            () = begun.next() => {}
                        }
                    };
                    let same =
                        |begun: &Follower| begun.known.values().map(|one| &**one).eq(&listed);
                    while !same(&begun) {
                        begun.next().await;
                    }
                });
                follower = Some((tell, task));
            }
            if n == compaction {
                proxy.cut();
                etcd.compact(revision(&*direct).await);
            }
            if dice.below(40) == 0 {
                proxy.cut();
            }
        }
        let mut listed = Registry::new(Arc::clone(&direct) as _)
            .list("echo")
            .await
            .unwrap();
        listed.sort_by_key(|one| one.id().to_string());
        let (tell, mut task) = follower.unwrap();
        tell.send(listed).unwrap();
        let same = time::timeout(LONG, task.join_next()).await;
        same.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn more_instances_than_a_page_or_a_message_holds_are_listed_and_followed() {
    let etcd = Etcd::start().await;
    let store = store(etcd.url()).await;
    // 10 500 of half a kilobyte: 5 MiB, above what gRPC takes if nobody says otherwise.
    let filling = "x".repeat(500);
    let value = format!(r#"{{"Op":0,"Addr":"10.0.0.1:80","Metadata":"{filling}"}}"#);
    for hundred in 0..105 {
        let puts =
            (0..100).map(|n| Put::new(format!("echo/{:05}", hundred * 100 + n), value.clone()));
        store
            .txn(Txn::new().then(puts.map(Op::from)))
            .await
            .unwrap();
    }
    let registry = Registry::new(store.clone() as _);
    assert_eq!(registry.list("echo").await.unwrap().len(), 10_500);
    let mut watch = registry.watch("echo");
    let first = time::timeout(LONG, futures_util::StreamExt::next(&mut watch)).await;
    let Some(Heard::Change(Change::All(all))) = first.unwrap() else {
        panic!("no snapshot");
    };
    assert_eq!(all.len(), 10_500);
    let center = ConfigCenter::new(store.clone() as _);
    for hundred in 0..11 {
        let puts = (0..100).map(|n| Put::new(format!("/config/many/{hundred:02}{n:02}"), "1"));
        store
            .txn(Txn::new().then(puts.map(Op::from)))
            .await
            .unwrap();
    }
    assert_eq!(center.list("many").await.unwrap().len(), 1_100);
}

#[tokio::test]
async fn a_lease_that_the_server_ends_is_registered_again_within_a_second() {
    let etcd = Etcd::start().await;
    let store = store(etcd.url()).await;
    let registry = Registry::new(store.clone() as _);
    let _registration = registry.register(echo("a")).await.unwrap();
    for _ in 0..3 {
        let lease = store.range(Range::one("echo/a")).await.unwrap().kvs[0].lease;
        let begun = Instant::now();
        store.revoke(lease).await.unwrap();
        while registry.list("echo").await.unwrap().is_empty() {
            time::sleep(Duration::from_millis(5)).await;
        }
        println!("registered again after {:?}", begun.elapsed());
        assert!(begun.elapsed() <= SECOND, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn an_instance_that_crashed_is_gone_after_its_lease_and_one_that_leaves_at_once() {
    let etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let here = Registry::new(store(etcd.url()).await as _);
    let crashing = Registry::new(store(proxy.url()).await as _);
    let leaves = here.register(echo("leaves")).await.unwrap();
    let _stays = here.register(echo("stays")).await.unwrap();
    let dead = crashing
        .register(echo("dead"))
        .ttl(2 * SECOND)
        .await
        .unwrap();
    let mut follower = Follower::of(&here);
    follower.until(&["dead", "leaves", "stays"]).await;
    // For etcd it makes no difference to a process that is killed.
    proxy.lose(true);
    let begun = Instant::now();
    follower.until(&["leaves", "stays"]).await;
    println!("the dead one went after {:?}", begun.elapsed());
    assert!(begun.elapsed() <= 4 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(follower.goodbyes, 0);
    let begun = Instant::now();
    leaves.deregister().await.unwrap();
    follower.until(&["stays"]).await;
    println!("the other one went after {:?}", begun.elapsed());
    assert_eq!(follower.goodbyes, 1);
    drop(dead);
}
