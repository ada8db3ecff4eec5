//! Leaving in earnest, and vanishing: the registry knows the difference, and its watch acts on it.

use super::support::{Spy, put};
use futures_util::{FutureExt, StreamExt};
use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};
use ziggurat::coord::{
    Delete, Guarded, Heard, KeyLayout, Put, Range, Registration, Registry, Stale, Store,
};
use ziggurat_core::{Change, Changes, Dice, Instance, Resolve};

const SECOND: Duration = Duration::from_secs(1);

fn spied() -> (Arc<Spy>, Registry) {
    let spy = Arc::new(Spy::default());
    let store: Arc<dyn Store> = Arc::clone(&spy) as _;
    (spy, Registry::new(store).dice(Dice::seeded(1)))
}

fn echo(n: usize) -> Instance {
    Instance::new("echo", &format!("i{n}"), "10.0.0.1", 80).unwrap()
}

async fn registered(registry: &Registry, count: usize) -> Vec<Registration> {
    let mut registrations = Vec::new();
    for n in 0..count {
        registrations.push(registry.register(echo(n)).await.unwrap());
    }
    registrations
}

/// The changes at hand once all is quiet, as text.
async fn told(changes: &mut Changes) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(change) = time::timeout(SECOND, changes.next()).await {
        told.push(match change.unwrap() {
            Ok(Change::All(all)) => format!("={}", all.len()),
            Ok(Change::Put(one)) => format!("+{}", one.id()),
            Ok(Change::Remove(id)) => format!("-{id}"),
            Ok(Change::Left(id)) => format!("bye {id}"),
            Ok(Change::Current) => ".".to_owned(),
            Ok(other) => panic!("{other:?}"),
            Err(_) => "!".to_owned(),
        });
    }
    told
}

/// What is heard until it is quiet for a second, as text.
async fn heard(watch: &mut Guarded) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(item) = time::timeout(SECOND, watch.next()).await {
        heard.push(match item.unwrap() {
            Heard::Change(Change::All(all)) => format!("={}", all.len()),
            Heard::Change(Change::Put(one)) => format!("+{}", one.id()),
            Heard::Change(Change::Left(id)) => format!("-{id}"),
            Heard::Stale(Stale::Shrunk { named, held }) => format!("stale {named}+{held}"),
            Heard::Stale(Stale::Trouble(_)) => "!".to_owned(),
            Heard::Fresh => "fresh".to_owned(),
            other => panic!("{other:?}"),
        });
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn whoever_deregisters_or_is_dropped_says_goodbye_and_whoever_dies_does_not() {
    let (spy, registry) = spied();
    let mut all = registered(&registry, 3).await;
    let mut changes = registry.resolve("echo");
    assert_eq!(told(&mut changes).await, ["=3"]);
    let lease = |id: &'static str| {
        let found = spy.store.range(Range::one(id)).now_or_never().unwrap();
        found.unwrap().kvs[0].lease
    };
    let dead = lease("echo/i2");
    all.pop().unwrap().deregister().await.unwrap();
    assert_eq!(told(&mut changes).await, ["bye i2"]);
    assert!(
        spy.store.time_to_live(dead).await.is_err(),
        "the lease goes too"
    );
    drop(all.pop());
    assert_eq!(told(&mut changes).await, ["bye i1"]);
    spy.store.delete(Delete::one("echo/i0")).await.unwrap();
    assert_eq!(told(&mut changes).await[0], "-i0");
    assert_eq!(
        spy.store
            .range(Range::prefix("echo/i1"))
            .await
            .unwrap()
            .count,
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_layout_without_a_word_for_it_lets_everybody_vanish() {
    let (_spy, registry) = spied();
    let registry = registry.layout(KeyLayout::Gochat);
    let mut all = registered(&registry, 2).await;
    let mut changes = registry.resolve("echo");
    assert_eq!(told(&mut changes).await, ["=2"]);
    all.pop().unwrap().deregister().await.unwrap();
    drop(all);
    assert_eq!(told(&mut changes).await, ["-i0", "-i1"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_goodbye_counts_for_whoever_is_told_late() {
    let (spy, registry) = spied();
    let value = |op| format!(r#"{{"Op":{op},"Addr":"10.0.0.1:80"}}"#);
    let all = registered(&registry, 3).await;
    let mut late = registry.resolve("echo");
    assert_eq!(told(&mut late).await, ["=3"]);
    let mut prompt = registry.resolve("echo");
    assert_eq!(told(&mut prompt).await, ["=3"]);
    drop(all);
    assert_eq!(told(&mut prompt).await, ["bye i0", "bye i1", "bye i2"]);
    // One comes back and vanishes, one comes back and stays; the late one heard of nothing.
    put(&*spy, "echo/i0", &value(0)).await;
    put(&*spy, "echo/i1", &value(0)).await;
    assert_eq!(told(&mut prompt).await, ["+i0", "+i1"]);
    spy.store.delete(Delete::one("echo/i0")).await.unwrap();
    assert_eq!(told(&mut prompt).await, ["-i0"]);
    assert_eq!(told(&mut late).await, ["-i0", "bye i2"]);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_during_a_compacted_cut_is_found_as_long_as_it_stands() {
    let (spy, registry) = spied();
    let mut all = registered(&registry, 3).await;
    let mut changes = registry.resolve("echo");
    assert_eq!(told(&mut changes).await, ["=3"]);
    spy.store.break_watches();
    // What stands when the keys are read anew is a goodbye; what has gone by then has vanished.
    let goodbye = r#"{"Op":1,"Addr":"10.0.0.1:80"}"#;
    all.pop().unwrap().deregister().await.unwrap();
    let last = put(&*spy, "echo/i1", goodbye).await;
    spy.store.compact(last).unwrap();
    let told = told(&mut changes).await;
    // Its registration is still there, so i1 comes back.
    assert_eq!(told[..3], ["!", "bye i1", "-i2"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_holds_on_to_all_that_vanish_at_once_and_says_so() {
    let (spy, registry) = spied();
    for n in 0..10 {
        let put = Put::new(format!("echo/i{n}"), r#"{"Op":0,"Addr":"10.0.0.1:80"}"#);
        let lease = spy.store.grant(5 * SECOND).await.unwrap().id;
        spy.store.put(put.lease(lease)).await.unwrap();
    }
    let mut watch = registry.watch("echo");
    assert_eq!(heard(&mut watch).await, ["=10"]);
    assert_eq!((watch.instances().count(), watch.is_stale()), (10, false));
    time::sleep(4 * SECOND).await;
    let begun = Instant::now();
    assert_eq!(heard(&mut watch).await, ["stale 0+10"]);
    assert_eq!((watch.instances().count(), watch.is_stale()), (10, true));
    watch.next().await.unwrap();
    assert!((9 * SECOND..=11 * SECOND).contains(&begun.elapsed()));
    assert_eq!(watch.instances().count(), 0);
    assert_eq!(heard(&mut watch).await.pop().as_deref(), Some("fresh"));
    assert!(!watch.is_stale());
}

#[tokio::test(start_paused = true)]
async fn a_watch_lets_go_at_once_of_nine_of_ten_who_deregister_and_of_the_last() {
    let (_spy, registry) = spied();
    let mut all = registered(&registry, 10).await;
    let mut watch = registry.watch("echo");
    assert_eq!(heard(&mut watch).await, ["=10"]);
    for registration in all.drain(1..) {
        registration.deregister().await.unwrap();
    }
    assert_eq!(heard(&mut watch).await.len(), 9);
    assert_eq!((watch.instances().count(), watch.is_stale()), (1, false));
    drop(all);
    assert_eq!(heard(&mut watch).await, ["-i0"]);
    assert!(!watch.is_stale());
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_stale_while_the_store_is_away_and_fresh_when_it_is_back() {
    let (spy, registry) = spied();
    let _all = registered(&registry, 1).await;
    let mut watch = registry.watch("echo");
    assert_eq!(heard(&mut watch).await, ["=1"]);
    spy.store.set_available(false);
    spy.store.break_watches();
    assert_eq!(heard(&mut watch).await, ["!"]);
    assert_eq!((watch.instances().count(), watch.is_stale()), (1, true));
    // Nothing changed meanwhile, and that is told.
    spy.store.set_available(true);
    assert_eq!(heard(&mut watch).await, ["fresh"]);
    assert!(!watch.is_stale());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_watches_share_one_watch_of_the_store_and_end_with_it() {
    let (spy, registry) = spied();
    let mut watches: Vec<_> = (0..100).map(|_| registry.watch("echo")).collect();
    for watch in &mut watches {
        assert_eq!(watch.next().await.map(|_| ()), Some(()));
    }
    time::sleep(SECOND).await;
    assert_eq!((spy.opened(), spy.open()), (1, 1));
    drop(watches);
    time::sleep(SECOND).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    assert_eq!((spy.open(), tasks), (0, 0));
}
