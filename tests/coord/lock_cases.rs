//! What locks must do over every store.

use super::support::{AnyStore, LONG, MS, SECOND, Task, in_line, keys};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time};
use ziggurat::coord::{
    Delete, LeaseId, LockGuard, Locks, Loss, Put, Range, StoreError, TryLockError,
};

fn is_held<T>(answer: &Result<T, TryLockError>) -> bool {
    matches!(answer, Err(TryLockError::Held { .. }))
}

async fn acquired(locks: &Locks, name: &str) -> LockGuard {
    let acquire = locks.acquire(name).ttl(10 * SECOND).into_future();
    time::timeout(LONG, acquire).await.unwrap().unwrap()
}

pub(super) async fn fifty_tasks_add_up_to_a_thousand(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let counter = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (locks, counter) = (locks.clone(), Arc::clone(&counter));
        tasks.spawn(async move {
            for _ in 0..20 {
                let guard = locks.acquire("counter").await.unwrap();
                // Read, let others go, write: only a lock makes this right.
                let seen = counter.load(SeqCst);
                tokio::task::yield_now().await;
                counter.store(seen + 1, SeqCst);
                guard.unlock().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(counter.load(SeqCst), 1_000);
    assert_eq!(keys(&*store, "/locks/").await, []);
}

pub(super) async fn a_lock_that_is_held_is_refused_without_a_trace(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let guard = acquired(&locks, "x").await;
    let before = keys(&*store, "").await;
    assert!(is_held(&locks.try_acquire("x").await));
    assert_eq!(keys(&*store, "").await, before);
    guard.unlock().await.unwrap();
    let guard = locks.try_acquire("x").await.unwrap();
    guard.unlock().await.unwrap();
}

pub(super) async fn one_that_gives_up_waiting_leaves_no_key(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let guard = acquired(&locks, "x").await;
    {
        let mut waiting = pin!(locks.acquire("x").into_future());
        let waits = time::timeout(LONG, async {
            tokio::select! {
                () = in_line(&*store, "/locks/x/", 2) => {}
                _ = waiting.as_mut() => panic!("two have it"),
            }
        });
        waits.await.unwrap();
        assert!(time::timeout(200 * MS, waiting).await.is_err());
    }
    in_line(&*store, "/locks/x/", 1).await;
    guard.unlock().await.unwrap();
    assert_eq!(keys(&*store, "/locks/").await, []);
}

pub(super) async fn who_came_first_is_next(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let mut guard = acquired(&locks, "x").await;
    let mut tasks = JoinSet::new();
    for n in 0..5 {
        let locks = locks.clone();
        tasks.spawn(async move { (n, locks.acquire("x").await.unwrap()) });
        in_line(&*store, "/locks/x/", n + 2).await;
    }
    for n in 0..5 {
        let token = guard.token();
        guard.unlock().await.unwrap();
        let next = time::timeout(LONG, tasks.join_next()).await;
        let (number, next) = next.unwrap().unwrap().unwrap();
        assert_eq!(number, n);
        assert!(next.token() > token);
        guard = next;
    }
}

pub(super) async fn tokens_rise_over_a_thousand_grants_and_a_stale_one_is_refused(store: AnyStore) {
    let locks = Locks::new(store);
    let mut last = 0;
    // What a resource does that is safe from stale holders.
    let mut write = |token: i64| {
        let fresh = token >= last;
        last = last.max(token);
        fresh
    };
    let mut before = 0;
    for _ in 0..1_000 {
        let guard = acquired(&locks, "x").await;
        assert!(guard.token() > before);
        assert!(write(guard.token()));
        assert!(before == 0 || !write(before));
        before = guard.token();
        guard.unlock().await.unwrap();
    }
}

pub(super) async fn nested_names_have_nothing_to_do_with_each_other(store: AnyStore) {
    let locks = Locks::new(store);
    let mut names = ["a", "a/b", "a/b/c", "a/1f", "a/1f/2"];
    // Go's lock of `a` waits for all that are nested in it, and came before.
    for _ in 0..2 {
        let mut guards = Vec::new();
        for name in names {
            guards.push(acquired(&locks, name).await);
        }
        for name in names {
            assert!(is_held(&locks.try_acquire(name).await), "{name}");
        }
        for guard in guards {
            guard.unlock().await.unwrap();
        }
        names.reverse();
    }
}

pub(super) async fn a_ttl_of_half_a_second_is_no_minute(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let guard = locks.acquire("x").ttl(SECOND / 2).await.unwrap();
    // One second is asked for of a store that counts whole ones; etcd makes two of it.
    let granted = store.time_to_live(guard.lease()).await.unwrap().granted;
    assert!(granted <= 2 * SECOND, "{granted:?}");
    guard.unlock().await.unwrap();
}

pub(super) async fn who_died_is_followed_when_its_lease_ends(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let ttl = 2 * SECOND;
    let lease = store.grant(ttl).await.unwrap().id;
    let put = Put::new(format!("/locks/x/{lease:x}"), "").lease(lease);
    let token = store.put(put).await.unwrap().revision;
    assert!(is_held(&locks.try_acquire("x").await));
    let begun = time::Instant::now();
    let guard = acquired(&locks, "x").await;
    // A second is what is promised, the rest is for a machine that is busy.
    assert!(begun.elapsed() <= ttl + SECOND + 10 * SECOND);
    assert!(guard.token() > token);
    assert!(store.time_to_live(lease).await.is_err());
    guard.unlock().await.unwrap();
}

pub(super) async fn a_lease_that_is_revoked_is_lost_and_a_late_unlock_hits_nobody(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let old = acquired(&locks, "x").await;
    let tenure = old.tenure();
    let work = Task::spawn(async move { tenure.run(std::future::pending::<()>()).await });
    store.revoke(old.lease()).await.unwrap();
    let lost = time::timeout(LONG, old.lost()).await.unwrap();
    // Whichever is seen first.
    assert!(matches!(lost.loss(), Loss::Deleted | Loss::Revoked));
    assert_eq!(old.check(), Err(lost.clone()));
    assert_eq!(work.done().await, Err(lost));
    let new = acquired(&locks, "x").await;
    assert!(new.token() > old.token());
    let unlocked = old.unlock().await.unwrap_err();
    assert!(matches!(unlocked, StoreError::LeaseNotFound { .. }));
    assert_eq!(keys(&*store, "/locks/").await.len(), 1);
    assert!(new.is_held());
    new.unlock().await.unwrap();
}

pub(super) async fn the_keys_are_those_of_go(store: AnyStore) {
    let locks = Locks::new(Arc::clone(&store));
    let guard = locks.acquire("my-resource-key").await.unwrap();
    let found = store.range(Range::prefix("/locks/")).await.unwrap();
    let kv = &found.kvs[0];
    let expected = format!("/locks/my-resource-key/{:x}", kv.lease);
    assert_eq!((&*kv.key, &*kv.value), (expected.as_bytes(), &b""[..]));
    assert_eq!((guard.key(), guard.lease()), (&*expected, kv.lease));
    assert_eq!(guard.token(), kv.create_revision);
    let granted = store.time_to_live(kv.lease).await.unwrap().granted;
    assert_eq!(granted, Duration::from_secs(30));
    guard.unlock().await.unwrap();

    // A Go peer holds it, then lets go.
    let go = "/locks/my-resource-key/390da1f9a1d6e805";
    let theirs = LeaseId(0x390d_a1f9_a1d6_e805);
    assert_eq!(format!("/locks/my-resource-key/{theirs:x}"), go);
    store.put(Put::new(go, "")).await.unwrap();
    assert!(is_held(&locks.try_acquire("my-resource-key").await));
    let ours = locks.clone();
    let mut waiting = Task::spawn(async move { ours.acquire("my-resource-key").await.unwrap() });
    in_line(&*store, "/locks/", 2).await;
    waiting.waits().await;
    store.delete(Delete::one(go)).await.unwrap();
    let guard = waiting.done().await;
    assert!(guard.is_held());
}

/// All of the above, for a macro that makes tests of them.
macro_rules! for_each_case {
    ($make:ident) => {
        $make! { lock_cases:
            fifty_tasks_add_up_to_a_thousand,
            a_lock_that_is_held_is_refused_without_a_trace,
            one_that_gives_up_waiting_leaves_no_key,
            who_came_first_is_next,
            tokens_rise_over_a_thousand_grants_and_a_stale_one_is_refused,
            nested_names_have_nothing_to_do_with_each_other,
            a_ttl_of_half_a_second_is_no_minute,
            who_died_is_followed_when_its_lease_ends,
            a_lease_that_is_revoked_is_lost_and_a_late_unlock_hits_nobody,
            the_keys_are_those_of_go,
        }
    };
}
pub(super) use for_each_case;
