//! Being registered, and staying so.

use super::support::{Spy, put};
use futures_util::FutureExt;
use std::{
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat::coord::{
    Delete, KeyLayout, KeyValue, LeaseId, MemoryStore, Put, Range, Registration,
    RegistrationState as State, Registry, Store, StoreError,
};
use ziggurat_core::{Dice, Instance};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(30);

fn spied() -> (Arc<Spy>, Registry) {
    let spy = Arc::new(Spy::default());
    let store: Arc<dyn Store> = Arc::clone(&spy) as _;
    (spy, Registry::new(store).dice(Dice::seeded(1)))
}

fn echo() -> Instance {
    Instance::new("echo", "a", "10.0.0.1", 80).unwrap()
}

async fn entry(spy: &Spy) -> Option<KeyValue> {
    spy.store
        .range(Range::one("echo/a"))
        .await
        .unwrap()
        .kvs
        .pop()
}

async fn registered_again(registration: &Registration) -> Duration {
    let begun = Instant::now();
    registration.registered().await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_registered_instance_is_found_until_it_is_deregistered() {
    for layout in [KeyLayout::Naming, KeyLayout::Gochat] {
        let registry = Registry::memory().layout(layout);
        let instance = echo()
            .with_weight(NonZeroU32::new(3).unwrap())
            .with_metadata("v", "1");
        let registration = registry.register(instance.clone()).await.unwrap();
        assert_eq!(registration.state(), State::Registered);
        assert_eq!(registry.list("echo").await.unwrap(), [instance]);
        registration.deregister().await.unwrap();
        assert_eq!(registry.list("echo").await.unwrap(), []);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn its_lease_is_renewed_every_third_of_its_time() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).await.unwrap();
    let lease = entry(&spy).await.unwrap().lease;
    time::sleep(95 * SECOND).await;
    assert_eq!(spy.renewals.load(SeqCst), 9);
    assert_eq!(entry(&spy).await.unwrap().lease, lease);
    assert_eq!(spy.store.time_to_live(lease).await.unwrap().granted, TTL);
    assert!(registration.lost().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_registered_again_within_a_second() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).await.unwrap();
    for _ in 0..3 {
        let lease = entry(&spy).await.unwrap().lease;
        let begun = Instant::now();
        spy.store.revoke(lease).await.unwrap();
        while registry.list("echo").await.unwrap().is_empty() {
            time::sleep(Duration::from_millis(1)).await;
        }
        assert!(begun.elapsed() <= SECOND, "{:?}", begun.elapsed());
        registered_again(&registration).await;
        assert_ne!(entry(&spy).await.unwrap().lease, lease);
    }
    time::sleep(10 * TTL).await;
    assert_eq!(registry.list("echo").await.unwrap(), [echo()]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_somebody_deleted_comes_back_with_the_same_lease() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).await.unwrap();
    let lease = entry(&spy).await.unwrap().lease;
    for _ in 0..2 {
        spy.store.delete(Delete::one("echo/a")).await.unwrap();
        time::sleep(SECOND).await;
        assert_eq!(entry(&spy).await.unwrap().lease, lease);
        // Deleted while nobody could see it, too.
        spy.store.break_watches();
        spy.store.delete(Delete::one("echo/a")).await.unwrap();
        time::sleep(2 * SECOND).await;
        assert_eq!(entry(&spy).await.unwrap().lease, lease);
    }
    assert_eq!(registration.state(), State::Registered);
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_the_lease_loses_it_on_time_and_heals() {
    for hangs in [false, true] {
        let (spy, registry) = spied();
        let registration = registry.register(echo()).await.unwrap();
        // Renewed once, 5 s ago.
        time::sleep(15 * SECOND).await;
        let begun = Instant::now();
        spy.hang(hangs);
        spy.store.set_available(hangs);
        registration.lost().await;
        // By our own clock, and no later than the store can know.
        let lost = begun.elapsed();
        assert_eq!(lost.as_secs(), 25, "{lost:?}");
        time::sleep(600 * SECOND).await;
        assert_eq!(registration.state(), State::Lost);
        assert!(!hangs || entry(&spy).await.is_none());

        spy.hang(false);
        spy.store.set_available(true);
        let again = registered_again(&registration).await;
        // What hangs is given up after five seconds.
        let bound = if hangs { 6 * SECOND } else { SECOND };
        assert!(again <= bound, "{again:?}");
        assert_eq!(registry.list("echo").await.unwrap(), [echo()]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_shorter_than_the_lease_changes_nothing() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).await.unwrap();
    let before = entry(&spy).await;
    spy.store.set_available(false);
    spy.store.break_watches();
    time::sleep(TTL - 2 * SECOND).await;
    spy.store.set_available(true);
    time::sleep(2 * TTL).await;
    assert_eq!(entry(&spy).await, before);
    assert_eq!(registration.state(), State::Registered);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_registration_is_gone_at_once() {
    let (spy, registry) = spied();
    drop(registry.register(echo()).await.unwrap());
    assert!(entry(&spy).await.is_none());
    time::sleep(SECOND).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[test]
fn a_registration_dropped_without_a_runtime_is_gone_too() {
    let store = MemoryStore::new();
    let registry = Registry::new(Arc::new(store.clone()));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let registration = runtime
        .block_on(registry.register(echo()).into_future())
        .unwrap();
    drop(runtime);
    let count = || {
        store
            .range(Range::prefix(""))
            .now_or_never()
            .unwrap()
            .unwrap()
            .count
    };
    assert_eq!(count(), 1);
    drop(registration);
    assert_eq!(count(), 0);
    let error = registry
        .register(echo())
        .into_future()
        .now_or_never()
        .unwrap()
        .unwrap_err();
    assert!(error.is_transient(), "no runtime is no panic");
}

#[tokio::test(start_paused = true)]
async fn an_update_is_found_once_it_is_awaited() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).await.unwrap();
    let lease = entry(&spy).await.unwrap().lease;
    let blue = echo().with_metadata("colour", "blue");
    registration.update(blue.clone()).await.unwrap();
    assert_eq!(registry.list("echo").await.unwrap(), [blue]);
    assert_eq!(entry(&spy).await.unwrap().lease, lease);

    // Given up while the store is away, it is written all the same.
    spy.store.set_available(false);
    let red = echo().with_metadata("colour", "red");
    let late = time::timeout(SECOND, registration.update(red.clone())).await;
    assert!(late.is_err());
    spy.store.set_available(true);
    time::sleep(2 * SECOND).await;
    assert_eq!(
        registry.list("echo").await.unwrap(),
        std::slice::from_ref(&red)
    );

    // And it stays so when the lease is lost.
    let lease = entry(&spy).await.unwrap().lease;
    spy.store.revoke(lease).await.unwrap();
    time::sleep(SECOND).await;
    assert_eq!(registry.list("echo").await.unwrap(), [red]);

    let other = Instance::new("echo", "b", "10.0.0.1", 80).unwrap();
    let error = registration.update(other).await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::InvalidArgument {
            field: "instance",
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn registering_waits_for_the_store_and_leaves_nothing_when_given_up() {
    let (spy, registry) = spied();
    spy.store.set_available(false);
    let given_up = time::timeout(10 * SECOND, registry.register(echo()).into_future()).await;
    assert!(given_up.is_err());
    let (registered, ()) = tokio::join!(registry.register(echo()).into_future(), async {
        time::sleep(10 * SECOND).await;
        spy.store.set_available(true);
    });
    time::sleep(10 * SECOND).await;
    let registration = registered.unwrap();
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);
    drop(registration);
    assert!(entry(&spy).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_registered_is_an_error_at_once() {
    let registry = Registry::memory();
    let refused = async |service: &str, id: &str, ttl| {
        let instance = Instance::new(service, id, "h", 1).unwrap();
        match registry.register(instance).ttl(ttl).await {
            Err(StoreError::InvalidArgument { field, value, .. }) => (field, value),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused("../x", "a", TTL).await, ("service", "../x".into()));
    assert_eq!(refused("echo", "a/b", TTL).await, ("id", "a/b".into()));
    assert_eq!(refused("echo", "..", TTL).await, ("id", "..".into()));
    assert_eq!(
        refused("echo", "a", Duration::ZERO).await,
        ("ttl", "0s".into())
    );
    assert_eq!(refused("echo", "a", Duration::MAX).await.0, "ttl");
}

#[tokio::test(start_paused = true)]
async fn two_with_one_id_do_not_fight_and_the_first_to_go_leaves_the_other() {
    let (spy, registry) = spied();
    let first = registry.register(echo()).await.unwrap();
    let second = registry
        .register(echo().with_metadata("n", "2"))
        .await
        .unwrap();
    let before = entry(&spy).await;
    time::sleep(10 * TTL).await;
    assert_eq!(entry(&spy).await, before);
    first.deregister().await.unwrap();
    assert_eq!(entry(&spy).await, before);
    drop(second);
    assert!(entry(&spy).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deregistration_that_fails_says_so_and_the_lease_ends_it() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).ttl(10 * SECOND).await.unwrap();
    spy.store.set_available(false);
    assert!(registration.deregister().await.unwrap_err().is_transient());
    spy.store.set_available(true);
    assert!(entry(&spy).await.is_some());
    time::sleep(10 * SECOND).await;
    assert!(entry(&spy).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_not_ours_is_left_alone() {
    let (spy, registry) = spied();
    put(&*spy, "echo/b", r#"{"Op":0,"Addr":"10.0.0.2:80"}"#).await;
    let registration = registry.register(echo()).await.unwrap();
    // Somebody else took our key: when we go, it is not ours to delete.
    spy.store
        .put(Put::new("echo/a", r#"{"Addr":"10.0.0.3:80"}"#))
        .await
        .unwrap();
    registration.deregister().await.unwrap();
    let left: Vec<_> = registry.list("echo").await.unwrap();
    let left: Vec<_> = left.iter().map(|one| one.address()).collect();
    assert_eq!(left, ["10.0.0.3", "10.0.0.2"]);
    assert_eq!(entry(&spy).await.unwrap().lease, LeaseId::NONE);
}

#[tokio::test(start_paused = true)]
async fn a_lease_granted_to_nobody_is_given_back() {
    let (spy, registry) = spied();
    let registration = registry.register(echo()).await.unwrap();
    let lease = entry(&spy).await.unwrap().lease;
    *spy.dropped_by_grant.lock().unwrap() = Some(registration);
    spy.store.revoke(lease).await.unwrap();
    time::sleep(SECOND).await;
    assert!(spy.dropped_by_grant.lock().unwrap().is_none());
    assert!(entry(&spy).await.is_none());
    let next = LeaseId(lease.0 + 1);
    assert!(spy.store.time_to_live(next).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_registration_given_up_at_any_moment_leaves_no_entry() {
    let (spy, registry) = spied();
    let dice = Dice::seeded(1);
    for n in 0..1_000 {
        let instance = Instance::new("echo", &n.to_string(), "h", 1).unwrap();
        let mut registering = JoinSet::new();
        registering.spawn(registry.register(instance).into_future());
        for _ in 0..dice.below(40) {
            tokio::task::yield_now().await;
        }
        drop(registering);
    }
    // What was running when it was given up ends at its next await; then nobody writes any more.
    while Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(spy.store.range(Range::prefix("")).await.unwrap().count, 0);
}
