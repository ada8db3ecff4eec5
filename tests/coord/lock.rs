//! Locks: exclusion, order, and what is left behind.

use super::{
    lock_cases,
    support::{Spy, keys, poll_once, put},
};
use futures_util::FutureExt;
use std::{
    cell::Cell,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat::coord::{
    Delete, Locks, Loss, MemoryStore, Put, Range, Store, StoreError, TryLockError,
};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(30);

lock_cases::for_each_case!(over_memory);

fn memory() -> (Arc<MemoryStore>, Locks) {
    let store = Arc::new(MemoryStore::new());
    let locks = Locks::new(Arc::clone(&store) as _);
    (store, locks)
}

fn spied() -> (Arc<Spy>, Locks) {
    let spy = Arc::new(Spy::default());
    let locks = Locks::new(Arc::clone(&spy) as _);
    (spy, locks)
}

fn is_held<T>(answer: &Result<T, TryLockError>) -> bool {
    matches!(answer, Err(TryLockError::Held { .. }))
}

/// One that took the lock and then died: nobody renews it, nobody gives it back.
async fn dead_holder(store: &MemoryStore, name: &str) -> i64 {
    let lease = store.grant(TTL).await.unwrap().id;
    let key = format!("/locks/{name}/{lease:x}");
    store
        .put(Put::new(key, "").lease(lease))
        .await
        .unwrap()
        .revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_holders_never_meet_on_many_threads() {
    let (_, locks) = memory();
    let inside = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let (locks, inside) = (locks.clone(), Arc::clone(&inside));
        tasks.spawn(async move {
            for m in 0..50 {
                let guard = locks.acquire("x").await.unwrap();
                assert_eq!(inside.fetch_add(1, SeqCst), 0);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, SeqCst);
                if (n + m) % 2 == 0 {
                    guard.unlock().await.unwrap();
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_next_and_one_release_wakes_one() {
    let (spy, locks) = spied();
    let first = locks.acquire("x").await.unwrap();
    let mut waiting: Vec<_> = (0..5)
        .map(|_| Box::pin(locks.acquire("x").into_future()))
        .collect();
    for waiter in &mut waiting {
        assert!(poll_once(waiter.as_mut()).await.is_pending());
    }
    spy.asked();
    first.unlock().await.unwrap();
    for mut waiter in waiting {
        let guard = waiter.as_mut().await.unwrap();
        // One to give back, one to look.
        assert_eq!(spy.asked(), 2);
        guard.unlock().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_held_is_refused_at_once_and_without_a_trace() {
    let (spy, locks) = spied();
    let guard = locks.try_acquire("x").await.unwrap();
    assert!(spy.asked() <= 3);
    let before = keys(&spy.store, "").await;
    assert!(is_held(
        &locks.try_acquire("x").into_future().now_or_never().unwrap()
    ));
    assert_eq!(spy.asked(), 1);
    assert_eq!(keys(&spy.store, "").await, before);
    guard.unlock().await.unwrap();
    assert!(locks.try_acquire("x").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn of_many_who_try_at_once_one_gets_it_and_the_others_leave_nothing() {
    let (spy, locks) = spied();
    spy.dawdles.store(true, SeqCst);
    let tries = (0..20).map(|_| locks.try_acquire("x").into_future());
    let tried = futures_util::future::join_all(tries).await;
    assert_eq!(tried.iter().filter(|tried| tried.is_ok()).count(), 1);
    assert_eq!(tried.iter().filter(|tried| is_held(tried)).count(), 19);
    assert_eq!(keys(&spy.store, "/locks/").await.len(), 1);
    drop(tried);
    assert_eq!(keys(&spy.store, "/locks/").await, []);
}

#[tokio::test(start_paused = true)]
async fn one_that_gives_up_waiting_leaves_no_key() {
    let (store, locks) = memory();
    let guard = locks.acquire("x").await.unwrap();
    let waited = time::timeout(Duration::from_millis(200), locks.acquire("x").into_future());
    assert!(waited.await.is_err());
    assert_eq!(keys(&*store, "/locks/").await.len(), 1);
    guard.unlock().await.unwrap();
    assert_eq!(keys(&*store, "/locks/").await, []);
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_await_it_leaves_nothing_and_holds_nobody_up() {
    for held in [false, true] {
        for trying in [false, true] {
            let mut done = false;
            let mut step = 0;
            while !done && step < 40 {
                let (spy, locks) = spied();
                let guard = match held {
                    true => Some(locks.acquire("x").await.unwrap()),
                    false => None,
                };
                spy.dawdles.store(true, SeqCst);
                {
                    let acquire = async {
                        match trying {
                            true => locks.try_acquire("x").await.is_ok(),
                            false => locks.acquire("x").await.is_ok(),
                        }
                    };
                    let mut acquire = pin!(acquire);
                    for _ in 0..step {
                        done |= poll_once(acquire.as_mut()).await.is_ready();
                        if done {
                            break;
                        }
                    }
                }
                spy.dawdles.store(false, SeqCst);
                let left = keys(&spy.store, "/locks/").await.len();
                assert_eq!(left, usize::from(held), "{held} {trying} {step}");
                drop(guard);
                assert!(
                    locks
                        .acquire("x")
                        .into_future()
                        .now_or_never()
                        .unwrap()
                        .is_ok()
                );
                step += 1;
            }
            // The one that waits never comes to an end.
            assert!(done || (held && !trying), "{held} {trying}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_stays_held_while_it_is_renewed() {
    let (spy, locks) = spied();
    let guard = locks.acquire("x").await.unwrap();
    time::sleep(95 * SECOND).await;
    assert!(guard.is_held() && guard.ttl() > Duration::ZERO);
    assert!(spy.renewals.load(SeqCst) >= 9);
    let kv = spy
        .store
        .range(Range::one(guard.key().to_owned()))
        .await
        .unwrap();
    assert_eq!(kv.kvs[0].create_revision, guard.token());
    assert!(is_held(&locks.try_acquire("x").await));
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_the_next_one_has_it_within_ttl_and_a_second() {
    let (store, locks) = memory();
    let token = dead_holder(&store, "x").await;
    let begun = Instant::now();
    let guard = locks.acquire("x").await.unwrap();
    assert!((TTL..=TTL + SECOND).contains(&begun.elapsed()));
    assert!(guard.token() > token);
}

#[tokio::test(start_paused = true)]
async fn when_the_store_is_cut_off_it_is_lost_before_anybody_else_has_it() {
    for hangs in [false, true] {
        let (spy, locks) = spied();
        let guard = locks.acquire("x").await.unwrap();
        // The other one still reaches the store.
        let others = Locks::new(Arc::new(spy.store.clone()));
        let taken = Cell::new(None);
        spy.hang(true);
        if !hangs {
            // Fails for both, for a while.
            spy.hang(false);
            spy.store.set_available(false);
        }
        let wait = async {
            let next = others.acquire("x").await.unwrap();
            taken.set(Some(Instant::now()));
            next
        };
        let heal = async {
            time::sleep(28 * SECOND).await;
            spy.store.set_available(true);
        };
        let lost = async { (guard.lost().await.loss(), Instant::now()) };
        let (next, (loss, lost), ()) = tokio::join!(wait, lost, heal);
        assert_eq!(loss, Loss::Expired);
        assert!(lost < taken.get().unwrap(), "{hangs}");
        assert!(next.token() > guard.token());
        assert!(!guard.is_held());
        let unlocked = guard.unlock();
        spy.hang(false);
        let error = unlocked.await.unwrap_err();
        assert!(matches!(error, StoreError::LeaseNotFound { .. }));
        assert!(next.is_held(), "a late unlock hit the next holder");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_deletes_or_takes_over_is_lost_at_once() {
    let (store, locks) = memory();
    for take_over in [false, true] {
        for unseen in [false, true] {
            let guard = locks.acquire("x").await.unwrap();
            let key = guard.key().to_owned();
            if unseen {
                store.break_watches();
            }
            let begun = Instant::now();
            if take_over {
                put(&*store, &key, "").await;
            } else {
                store.delete(Delete::one(key.clone())).await.unwrap();
            }
            assert_eq!(guard.lost().await.loss(), Loss::Deleted);
            assert!(begun.elapsed() <= SECOND);
            drop(guard);
            store.delete(Delete::one(key)).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_through_outages_broken_watches_compaction_and_lost_places() {
    let (store, locks) = memory();
    let guard = locks.acquire("x").await.unwrap();
    let mut waiting = pin!(locks.acquire("x").into_future());
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    store.break_watches();
    assert!(time::timeout(SECOND, waiting.as_mut()).await.is_err());
    store.set_available(false);
    assert!(time::timeout(5 * SECOND, waiting.as_mut()).await.is_err());
    store.set_available(true);
    // Its place is taken away while it waits.
    let line = keys(&*store, "/locks/x/").await;
    assert_eq!(line.len(), 2);
    let own = line
        .into_iter()
        .find(|(key, _)| *key != guard.key())
        .unwrap()
        .0;
    store.delete(Delete::one(own)).await.unwrap();
    store.break_watches();
    assert!(time::timeout(SECOND, waiting.as_mut()).await.is_err());
    assert_eq!(keys(&*store, "/locks/x/").await.len(), 2);
    let last = put(&*store, "other", "").await;
    store.compact(last).unwrap();
    store.break_watches();
    guard.unlock().await.unwrap();
    assert!(
        time::timeout(SECOND, waiting)
            .await
            .unwrap()
            .unwrap()
            .is_held()
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiter_whose_lease_the_store_ended_stands_in_line_again() {
    let (store, locks) = memory();
    let _guard = locks.acquire("x").await.unwrap();
    let mut waiting = pin!(locks.acquire("x").into_future());
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    let line = store.range(Range::prefix("/locks/x/")).await.unwrap().kvs;
    let own = line.iter().max_by_key(|kv| kv.create_revision).unwrap();
    store.revoke(own.lease).await.unwrap();
    assert_eq!(keys(&*store, "/locks/x/").await.len(), 1);
    // As soon as a renewal tells, though nobody before it has gone.
    assert!(time::timeout(11 * SECOND, waiting.as_mut()).await.is_err());
    assert_eq!(keys(&*store, "/locks/x/").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_outlives_an_outage_longer_than_its_lease() {
    let (store, locks) = memory();
    let guard = locks.acquire("x").await.unwrap();
    let mut waiting = pin!(locks.acquire("x").into_future());
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    store.set_available(false);
    assert!(time::timeout(120 * SECOND, waiting.as_mut()).await.is_err());
    assert!(!guard.is_held());
    store.set_available(true);
    let waited = time::timeout(2 * SECOND, waiting).await;
    assert!(waited.unwrap().unwrap().is_held());
    assert_eq!(keys(&*store, "/locks/x/").await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn trying_says_that_the_store_is_down() {
    let (store, locks) = memory();
    store.set_available(false);
    let tried = locks.try_acquire("x").await;
    assert!(matches!(tried, Err(TryLockError::Store(error)) if error.is_transient()));
}

#[tokio::test(start_paused = true)]
async fn names_that_would_escape_are_refused_by_field_and_value() {
    let (store, locks) = memory();
    let long = "x".repeat(256);
    let names = [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "..",
        "../services/x",
        "a/../b",
        ".",
        "a/.",
        "a\nb",
        "a\0",
        "a b",
        &long,
    ];
    for name in names {
        let refused = |error: &StoreError| {
            let text = error.to_string();
            let value = name.escape_debug().to_string();
            matches!(error, StoreError::InvalidArgument { field: "name", .. })
                && text.contains(&value[..value.len().min(200)])
        };
        let error = locks.acquire(name).await.unwrap_err();
        assert!(refused(&error), "{name:?}: {error}");
        let tried = locks.try_acquire(name).await;
        assert!(matches!(tried, Err(TryLockError::Store(error)) if refused(&error)));
    }
    for ttl in [Duration::ZERO, Duration::MAX] {
        let error = locks.acquire("x").ttl(ttl).await.unwrap_err();
        assert!(error.to_string().contains("ttl"), "{error}");
        assert!(locks.try_acquire("x").ttl(ttl).await.is_err());
    }
    assert_eq!(keys(&*store, "").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_ttl_of_half_a_second_is_no_minute() {
    let (store, locks) = memory();
    let guard = locks.acquire("x").ttl(SECOND / 2).await.unwrap();
    let key = store
        .range(Range::one(guard.key().to_owned()))
        .await
        .unwrap()
        .kvs
        .remove(0);
    assert!(store.time_to_live(key.lease).await.unwrap().granted <= SECOND);
    time::sleep(5 * SECOND).await;
    assert!(guard.is_held());
}
