//! What the embedded store can do beyond the trait.

use super::support::{collect, next, put, revision};
use futures_util::{FutureExt, StreamExt};
use std::{num::NonZeroUsize, time::Duration};
use tokio::{runtime::Handle, task::JoinSet, time::Instant};
use ziggurat::coord::{Keys, MemoryStore, Put, Range, Store, StoreError, Watch, WatchError};

const MS: Duration = Duration::from_millis(1);

fn all() -> Watch {
    Watch::new(Keys::prefix(""))
}

fn is_unavailable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. })
}

#[tokio::test(start_paused = true)]
async fn now_is_when_the_watch_is_asked_for() {
    let store = MemoryStore::new();
    put(&store, "a", "old").await;
    let mut watch = store.watch(all());
    let revision = put(&store, "a", "new").await;
    assert_eq!(collect(&mut watch, revision).await, ["+a new"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fell_behind_is_told_where_history_begins() {
    let store = MemoryStore::new();
    let mut behind = store.watch(all());
    for n in 0..5 {
        put(&store, "a", &n.to_string()).await;
    }
    let last = revision(&store).await;
    store.compact(last).unwrap();
    let compacted = Some(Err(WatchError::Compacted { at: last }));
    assert_eq!(behind.next().await, compacted);
    assert_eq!(behind.next().await, None);
    assert_eq!(store.watch(all().from(last - 1)).next().await, compacted);
    assert_eq!(
        collect(&mut store.watch(all().from(last)), last).await,
        ["+a 4"]
    );
    let past = store.range(Range::one("a").at(last - 1)).await;
    let (requested, at) = (last - 1, last);
    assert_eq!(past, Err(StoreError::Compacted { requested, at }));
}

#[tokio::test(start_paused = true)]
async fn bounded_history_tells_a_slow_watch_too() {
    let store = MemoryStore::keeping(NonZeroUsize::new(3).unwrap());
    let (mut slow, mut quick) = (store.watch(all()), store.watch(all()));
    for n in 0..4 {
        put(&store, "a", &n.to_string()).await;
        assert_eq!(next(&mut quick).await.events.len(), 1);
    }
    let at = revision(&store).await - 2;
    assert_eq!(slow.next().await, Some(Err(WatchError::Compacted { at })));
}

#[tokio::test(start_paused = true)]
async fn an_outage_fails_calls_and_stalls_watches_but_time_goes_on() {
    let store = MemoryStore::new();
    let lease = store.grant(100 * MS).await.unwrap();
    store.put(Put::new("a", "").lease(lease.id)).await.unwrap();
    let mut watch = store.watch(all());
    store.set_available(false);
    assert!(is_unavailable(
        &store.put(Put::new("b", "")).await.unwrap_err()
    ));
    assert!(is_unavailable(
        &store.keep_alive(lease.id).await.unwrap_err()
    ));
    let refused = store.watch(all()).next().await.unwrap().unwrap_err();
    assert!(matches!(refused, WatchError::Broken(error) if is_unavailable(&error)));
    tokio::time::sleep(200 * MS).await;
    assert!(watch.next().now_or_never().is_none());

    store.set_available(true);
    assert_eq!(collect(&mut watch, 3).await, ["-a "]);
    store.break_watches();
    let broken = watch.next().await.unwrap().unwrap_err();
    assert!(matches!(broken, WatchError::Broken(error) if is_unavailable(&error)));
    assert!(watch.next().await.is_none());
    assert!(store.watch(all()).next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lease_shorter_than_a_second_ends_on_time_and_without_a_task() {
    let store = MemoryStore::new();
    let mut watch = store.watch(all());
    let lease = store.grant(250 * MS).await.unwrap();
    store.put(Put::new("a", "").lease(lease.id)).await.unwrap();
    let begun = Instant::now();
    assert_eq!(collect(&mut watch, 3).await, ["+a ", "-a "]);
    let taken = begun.elapsed();
    assert!((250 * MS..=252 * MS).contains(&taken), "{taken:?}");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_only_to_who_asked() {
    let store = MemoryStore::new();
    let mut told = store.watch(Watch::new(Keys::one("a")).progress());
    let mut silent = store.watch(Watch::new(Keys::one("a")));
    let last = put(&store, "b", "").await;
    let begun = Instant::now();
    let batch = next_within(&mut told, Duration::from_secs(3_600))
        .await
        .unwrap();
    assert_eq!((batch.revision, batch.events.len()), (last, 0));
    assert_eq!(begun.elapsed().as_secs(), 600);
    assert!(
        next_within(&mut silent, Duration::from_secs(3_600))
            .await
            .is_none()
    );
    // One that waits for what is yet to come has nothing to tell, and does not spin either.
    let mut early = store.watch(Watch::new(Keys::one("a")).from(last + 9).progress());
    assert!(
        next_within(&mut early, Duration::from_secs(3_600))
            .await
            .is_none()
    );
}

async fn next_within(
    watch: &mut ziggurat::coord::WatchStream,
    limit: Duration,
) -> Option<ziggurat::coord::WatchBatch> {
    let batch = tokio::time::timeout(limit, watch.next()).await.ok()?;
    Some(batch.unwrap().unwrap())
}

#[tokio::test(start_paused = true)]
async fn watches_end_when_the_last_clone_is_gone() {
    let store = MemoryStore::new();
    let mut watch = store.watch(all());
    let clone = store.clone();
    drop(store);
    put(&clone, "a", "").await;
    assert_eq!(next(&mut watch).await.events.len(), 1);
    let ended = tokio::join!(watch.next(), async { drop(clone) }).0;
    assert!(matches!(ended, Some(Err(WatchError::Broken(error))) if is_unavailable(&error)));
}

#[test]
fn everything_but_waiting_works_without_a_runtime() {
    let store = MemoryStore::new();
    let now = |answer: ziggurat::coord::StoreFuture<'_, _>| answer.now_or_never().unwrap();
    let mut watch = store.watch(all());
    let lease = store.grant(MS).now_or_never().unwrap().unwrap();
    let long = store.grant(9_000 * MS).now_or_never().unwrap().unwrap();
    now(store.put(Put::new("a", "").lease(long.id))).unwrap();
    assert_eq!(
        watch
            .next()
            .now_or_never()
            .unwrap()
            .unwrap()
            .unwrap()
            .events
            .len(),
        1
    );
    assert!(watch.next().now_or_never().is_none());
    store.abandon(long.id);
    store.abandon(lease.id);
    assert_eq!(
        watch
            .next()
            .now_or_never()
            .unwrap()
            .unwrap()
            .unwrap()
            .events
            .len(),
        1
    );
    assert!(format!("{store:?}").contains("revision: 3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_watchers_on_many_threads_lose_nothing() {
    const WRITERS: i64 = 4;
    const WRITES: i64 = 500;
    let store = MemoryStore::new();
    let last = revision(&store).await + WRITERS * WRITES;
    let mut watchers = JoinSet::new();
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let writer = store.clone();
        writers.spawn(async move {
            for _ in 0..WRITES {
                put(&writer, &n.to_string(), "").await;
            }
        });
        let mut watch = store.watch(all().from(2));
        watchers.spawn(async move { collect(&mut watch, last).await.len() });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    while let Some(seen) = watchers.join_next().await {
        assert_eq!(seen.unwrap() as i64, WRITERS * WRITES);
    }
}
