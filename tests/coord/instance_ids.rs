//! Instance ids: each number once, and given back.

use super::{
    id_cases,
    support::{Spy, keys, poll_once},
};
use futures_util::{FutureExt, future::join_all};
use std::{
    collections::HashSet,
    pin::pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::{self, Instant};
use ziggurat::coord::{Delete, InstanceIds, Loss, MemoryStore, Put, Store, StoreError, TryIdError};
use ziggurat_core::Dice;

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(30);

id_cases::for_each_case!(over_memory);

fn memory() -> (Arc<MemoryStore>, InstanceIds) {
    let store = Arc::new(MemoryStore::new());
    let ids = InstanceIds::new(Arc::clone(&store) as _, "svc").unwrap();
    (store, ids)
}

fn spied() -> (Arc<Spy>, InstanceIds) {
    let spy = Arc::new(Spy::default());
    let ids = InstanceIds::new(Arc::clone(&spy) as _, "svc").unwrap();
    (spy, ids.dice(Dice::seeded(3)))
}

fn is_exhausted<T>(answer: &Result<T, TryIdError>) -> bool {
    matches!(answer, Err(TryIdError::Exhausted { .. }))
}

#[tokio::test(start_paused = true)]
async fn when_all_are_taken_it_waits_for_one_to_be_given_back() {
    let (store, ids) = memory();
    let ids = ids.range(1..4).unwrap();
    let mut held = join_all((0..3).map(|_| ids.acquire())).await;
    let mut waiting = pin!(ids.acquire());
    assert!(time::timeout(100 * SECOND, waiting.as_mut()).await.is_err());
    assert!(is_exhausted(&ids.try_acquire().await));
    let freed = held.remove(1).unwrap();
    let number = freed.id().unwrap();
    let (mut second, begun) = (Box::pin(ids.acquire()), Instant::now());
    assert!(poll_once(second.as_mut()).await.is_pending());
    freed.release().await.unwrap();
    let id = waiting.await.unwrap();
    assert!(begun.elapsed() <= Duration::from_millis(100));
    assert_eq!(id.id(), Ok(number));
    // The other one, who came too late, waits on, through whatever happens.
    assert!(time::timeout(SECOND, second.as_mut()).await.is_err());
    store.break_watches();
    store.set_available(false);
    assert!(time::timeout(2 * SECOND, second.as_mut()).await.is_err());
    store.set_available(true);
    drop(id);
    let waited = time::timeout(SECOND, second).await;
    assert_eq!(waited.unwrap().unwrap().id(), Ok(number));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_one_that_died_is_free_after_its_ttl() {
    let (store, ids) = memory();
    let ids = ids.range(5..6).unwrap();
    let lease = store.grant(TTL).await.unwrap().id;
    let key = "/im-infra/allocators/svc/ids/5";
    store.put(Put::new(key, "5").lease(lease)).await.unwrap();
    let begun = Instant::now();
    let id = ids.acquire().await.unwrap();
    assert!((TTL..=TTL + SECOND).contains(&begun.elapsed()));
    assert_eq!(id.id(), Ok(5));
}

#[tokio::test(start_paused = true)]
async fn it_is_refused_before_another_one_has_it_and_only_its_owner_gives_it_back() {
    let (spy, ids) = spied();
    let ids = ids.range(5..6).unwrap();
    let others = InstanceIds::new(Arc::new(spy.store.clone()), "svc").unwrap();
    let others = others.range(5..6).unwrap();
    let old = ids.acquire().await.unwrap();
    spy.hang(true);
    let lost = async { (old.lost().await, Instant::now()) };
    let next = async { (others.acquire().await.unwrap(), Instant::now()) };
    let ((lost, refused), (new, taken)) = tokio::join!(lost, next);
    assert!(refused < taken);
    assert_eq!((lost.loss(), old.id()), (Loss::Expired, Err(lost)));
    assert_eq!(new.id(), Ok(5));
    assert!(new.token() > old.token());
    spy.hang(false);
    let released = old.release().await;
    assert!(matches!(released, Err(StoreError::LeaseNotFound { .. })));
    assert_eq!(keys(&spy.store, "/im-infra/").await.len(), 1);
    assert_eq!(new.id(), Ok(5));
}

#[tokio::test(start_paused = true)]
async fn a_number_whose_key_is_deleted_is_lost_at_once() {
    let (store, ids) = memory();
    let id = ids.acquire().await.unwrap();
    store
        .delete(Delete::one(id.key().to_owned()))
        .await
        .unwrap();
    assert_eq!(id.lost().await.loss(), Loss::Deleted);
    assert!(id.id().is_err() && id.run(async {}).await.is_err());
    assert_eq!(id.ttl(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_await_it_takes_nothing() {
    let mut done = false;
    let mut step = 0;
    while !done {
        let (spy, ids) = spied();
        spy.dawdles.store(true, SeqCst);
        let mut acquire = Box::pin(ids.acquire());
        for _ in 0..step {
            done |= poll_once(acquire.as_mut()).await.is_ready();
            if done {
                break;
            }
        }
        drop(acquire);
        assert_eq!(keys(&spy.store, "/im-infra/").await, [], "{step}");
        step += 1;
        assert!(step < 40);
    }
}

#[tokio::test(start_paused = true)]
async fn one_range_has_room_for_two_whoever_collides() {
    // They all read before anybody writes, and draw the same numbers.
    let spy = Arc::new(Spy::default());
    spy.dawdles.store(true, SeqCst);
    let seeded = || {
        let ids = InstanceIds::new(Arc::clone(&spy) as _, "svc").unwrap();
        ids.range(0..4).unwrap().dice(Dice::seeded(9))
    };
    let all: Vec<_> = (0..5).map(|_| seeded()).collect();
    let held = join_all(all.iter().map(|ids| ids.try_acquire())).await;
    assert_eq!(held.iter().filter(|id| is_exhausted(id)).count(), 1);
    let numbers = held.iter().filter_map(|id| id.as_ref().ok()?.id().ok());
    assert_eq!(numbers.collect::<HashSet<_>>(), HashSet::from([0, 1, 2, 3]));
    assert_eq!(keys(&spy.store, "/im-infra/").await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn settings_that_cannot_work_are_refused() {
    let (store, ids) = memory();
    for service in ["", "..", "a/b", "a b", "a\n"] {
        let error = InstanceIds::new(Arc::clone(&store) as _, service).unwrap_err();
        assert!(matches!(
            error,
            StoreError::InvalidArgument {
                field: "service",
                ..
            }
        ));
    }
    let error = ids.clone().range(7..7).unwrap_err();
    assert!(error.to_string().contains("range `7..7`"), "{error}");
    assert!(ids.clone().ttl(Duration::ZERO).is_err());
    store.set_available(false);
    let tried = ids.try_acquire().now_or_never().unwrap();
    assert!(matches!(tried, Err(TryIdError::Store(error)) if error.is_transient()));
}
