//! Ten minutes without a store, and coming back from it.

use super::support::{Spy, put};
use futures_util::{StreamExt, future::join_all};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{self, Instant};
use ziggurat::coord::{
    Delete, Heard, Lease, LeaseId, LeaseStatus, MemoryStore, Range, RangeResponse, Registry, Stale,
    Store, StoreFuture, Txn, TxnResponse, Watch, WatchStream,
};
use ziggurat_core::{Change, Dice, Instance, Resolve};

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Notes when it is asked anything.
#[derive(Debug)]
struct Noted {
    store: MemoryStore,
    asked: Mutex<Vec<Instant>>,
}

impl Noted {
    fn new(store: &MemoryStore) -> Arc<Self> {
        let (store, asked) = (store.clone(), Mutex::default());
        Arc::new(Self { store, asked })
    }

    fn note(&self) {
        self.asked.lock().unwrap().push(Instant::now());
    }

    fn take(&self) -> Vec<Instant> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Store for Noted {
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse> {
        self.note();
        self.store.range(range)
    }

    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.note();
        self.store.txn(txn)
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.note();
        self.store.grant(ttl)
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        self.note();
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
        self.note();
        self.store.watch(watch)
    }
}

fn entry(port: u16) -> String {
    format!(r#"{{"Op":0,"Addr":"10.0.0.1:{port}"}}"#)
}

fn distances(times: &[Instant]) -> Vec<Duration> {
    times.windows(2).map(|two| two[1] - two[0]).collect()
}

/// They never come in step, and never wait longer than a second.
fn are_jittered_and_capped(distances: &[Duration]) -> bool {
    let mut distinct = distances.to_vec();
    distinct.sort();
    distinct.dedup_by_key(|distance| distance.as_millis());
    let bounds = Duration::from_millis(29)..=Duration::from_millis(901);
    distances.iter().all(|distance| bounds.contains(distance))
        && distinct.len() * 3 > distances.len().min(300)
}

#[tokio::test(start_paused = true)]
async fn through_ten_minutes_without_a_store_the_last_known_stand_and_nobody_sees_none() {
    let store = MemoryStore::new();
    for n in 1..=5 {
        put(&store, &format!("echo/{n}"), &entry(n)).await;
    }
    let noted = Noted::new(&store);
    let registry = Registry::new(Arc::clone(&noted) as _).dice(Dice::seeded(7));
    let mut watch = registry.watch("echo");
    watch.next().await.unwrap();
    noted.take();
    store.set_available(false);
    store.break_watches();
    let begun = Instant::now();
    while let Ok(heard) = time::timeout_at(begun + TEN_MINUTES, watch.next()).await {
        assert!(matches!(heard, Some(Heard::Stale(Stale::Trouble(_)))));
    }
    assert_eq!((watch.instances().count(), watch.is_stale()), (5, true));

    let asked = noted.take();
    let waited = distances(&asked);
    assert!(asked.len() > 600, "{}", asked.len());
    assert!(are_jittered_and_capped(&waited), "{waited:?}");

    // Meanwhile one went, and one is another.
    store.set_available(true);
    let back = Instant::now();
    store.delete(Delete::one("echo/1")).await.unwrap();
    put(&store, "echo/2", &entry(9)).await;
    let mut told = Vec::new();
    while !matches!(told.last(), Some(Heard::Fresh)) {
        told.push(watch.next().await.unwrap());
        assert!(watch.instances().count() >= 4);
    }
    assert!(back.elapsed() <= SECOND, "{:?}", back.elapsed());
    assert_eq!(told.len(), 3, "one came, one went: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_registration_asks_on_with_jitter_and_is_back_within_a_second() {
    let store = MemoryStore::new();
    let noted = Noted::new(&store);
    let registry = Registry::new(Arc::clone(&noted) as _).dice(Dice::seeded(3));
    let echo = Instance::new("echo", "a", "10.0.0.1", 80).unwrap();
    let registration = registry.register(echo).await.unwrap();
    store.set_available(false);
    store.break_watches();
    registration.lost().await;
    noted.take();
    time::sleep(TEN_MINUTES).await;
    let waited = distances(&noted.take());
    assert!(are_jittered_and_capped(&waited), "{waited:?}");
    store.set_available(true);
    let back = Instant::now();
    registration.registered().await;
    assert!(back.elapsed() <= SECOND, "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn two_hundred_followers_do_not_come_back_together() {
    let store = MemoryStore::new();
    put(&store, "echo/a", &entry(1)).await;
    let noted = Noted::new(&store);
    let registry = |n| Registry::new(Arc::clone(&noted) as _).dice(Dice::seeded(n));
    let mut followers: Vec<_> = (0..200).map(|n| registry(n).resolve("echo")).collect();
    join_all(followers.iter_mut().map(StreamExt::next)).await;
    store.set_available(false);
    store.break_watches();
    join_all(followers.iter_mut().map(StreamExt::next)).await;
    noted.take();
    time::sleep(60 * SECOND).await;
    let asked = noted.take();
    let first = *asked.first().unwrap();
    // Once the delays have grown, all of them together ask 200 / 0.6 s = 333 times a second.
    let settled = asked.iter().filter(|at| **at - first > 3 * SECOND);
    let mut slots = std::collections::BTreeMap::new();
    for at in settled {
        *slots
            .entry((*at - first).as_millis() / 100)
            .or_insert(0_u32) += 1;
    }
    let most = slots.values().max().unwrap();
    assert!(
        *most <= 67,
        "twice the mean in some tenth of a second: {most}"
    );
    store.set_available(true);
    time::sleep(2 * SECOND).await;
    let changes = join_all(followers.iter_mut().map(StreamExt::next)).await;
    assert!(
        changes
            .iter()
            .all(|change| matches!(change, Some(Ok(Change::Current))))
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_through_a_store_that_hangs_is_told_and_catches_up() {
    let spy = Arc::new(Spy::default());
    put(&*spy, "echo/a", &entry(1)).await;
    let registry = Registry::new(Arc::clone(&spy) as _).dice(Dice::seeded(1));
    let mut watch = registry.watch("echo");
    watch.next().await.unwrap();
    spy.hang(true);
    spy.store.break_watches();
    assert!(matches!(watch.next().await, Some(Heard::Stale(_))));
    time::sleep(TEN_MINUTES).await;
    assert_eq!((watch.instances().count(), watch.is_stale()), (1, true));
    spy.hang(false);
    let back = Instant::now();
    assert!(matches!(watch.next().await, Some(Heard::Fresh)));
    // What hangs is given up after five seconds.
    assert!(back.elapsed() <= 6 * SECOND, "{:?}", back.elapsed());
}
