//! Unique ids: never one twice, whatever the clock does.

use super::support::Spy;
use futures_util::FutureExt;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};
use tokio::time::{self, Instant};
use ziggurat::coord::{
    Delete, InstanceIds, MemoryStore, Snowflake, SnowflakeError, SnowflakeParts, Store, StoreError,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// 2023-11-14.
const NOW: u64 = 1_700_000_000_000;
const EPOCH: u64 = 1_288_834_974_657;

/// A clock that a test sets.
fn clock(
    at: u64,
) -> (
    Arc<AtomicU64>,
    impl Fn() -> Duration + Send + Sync + 'static,
) {
    let millis = Arc::new(AtomicU64::new(at));
    let shared = Arc::clone(&millis);
    (millis, move || Duration::from_millis(shared.load(SeqCst)))
}

/// A clock that runs with tokio's, this much off once it has run for a second.
fn jumping(by: i64) -> impl Fn() -> Duration + Send + Sync + 'static {
    let begun = Instant::now();
    move || {
        let run = begun.elapsed().as_millis() as i64;
        let off = if run >= 1_000 { by } else { 0 };
        Duration::from_millis((NOW as i64 + run + off) as u64)
    }
}

fn went_back(by: u64) -> Result<i64, SnowflakeError> {
    let by = Duration::from_millis(by);
    Err(SnowflakeError::ClockWentBack { by })
}

/// A million from each thread in a release build; a twentieth of it where every step costs more.
const EACH: usize = if cfg!(debug_assertions) {
    50_000
} else {
    1_000_000
};

#[test]
fn eight_threads_never_make_the_same_and_each_sees_them_rise() {
    const THREADS: usize = 8;
    let snowflake = Snowflake::fixed(378).unwrap();
    let made: Vec<Vec<i64>> = thread::scope(|scope| {
        let make = || {
            let mut ids = Vec::with_capacity(EACH);
            while ids.len() < EACH {
                match snowflake.try_next_id() {
                    Ok(id) => ids.push(id),
                    Err(SnowflakeError::Busy) => thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            }
            ids
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(make)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(made.iter().all(|ids| ids.is_sorted_by(|a, b| a < b)));
    let mut all = made.concat();
    all.sort_unstable();
    assert!(all.is_sorted_by(|a, b| a < b), "made twice");
    assert_eq!(all.len(), THREADS * EACH);
    let times = all.chunk_by(|a, b| a >> 22 == b >> 22);
    assert!(times.map(<[i64]>::len).max().unwrap() <= 4_096);
    assert!(all.iter().all(|id| snowflake.decode(*id).node == 378));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waiting_for_the_next_millisecond_makes_none_twice_either() {
    let snowflake = Arc::new(Snowflake::fixed(1).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let snowflake = Arc::clone(&snowflake);
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..10_000 {
                ids.push(snowflake.next_id().await.unwrap());
            }
            ids
        });
    }
    let all = tasks.join_all().await.concat();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 40_000);
}

#[test]
fn a_millisecond_has_4096_and_then_the_next_one_is_needed() {
    let (time, clock) = clock(NOW);
    let snowflake = Snowflake::fixed(7).unwrap().clock(clock);
    let ids: Vec<i64> = (0..4_096)
        .map(|_| snowflake.try_next_id().unwrap())
        .collect();
    let first = (NOW - EPOCH) as i64 * 4_194_304 + 7 * 4_096;
    assert!(ids.iter().copied().eq(first..first + 4_096));
    assert_eq!(snowflake.try_next_id(), Err(SnowflakeError::Busy));
    time.store(NOW + 1, SeqCst);
    assert_eq!(snowflake.try_next_id(), Ok(first + 4_194_304));
}

#[tokio::test(start_paused = true)]
async fn a_full_millisecond_is_waited_for_but_not_a_clock_that_stands() {
    let snowflake = Snowflake::fixed(7).unwrap().clock(jumping(0));
    let mut last = 0;
    let begun = Instant::now();
    for _ in 0..3 * 4_096 {
        let id = snowflake.next_id().await.unwrap();
        assert!(id > last);
        last = id;
    }
    assert!(begun.elapsed() >= 2 * MS && begun.elapsed() <= 10 * MS);

    let (_, standing) = clock(NOW);
    let snowflake = Snowflake::fixed(7).unwrap().clock(standing);
    let mut made = 0;
    let begun = Instant::now();
    let error = loop {
        match snowflake.next_id().await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((made, error), (4_096, SnowflakeError::Busy));
    assert!(begun.elapsed() <= SECOND);
}

#[test]
fn a_clock_that_is_set_back_makes_no_id_twice() {
    let (time, clock) = clock(NOW);
    let snowflake = Snowflake::fixed(7).unwrap().clock(clock);
    let before = snowflake.try_next_id().unwrap();
    for back in [1, 5_000, NOW - EPOCH] {
        time.store(NOW - back, SeqCst);
        assert_eq!(snowflake.try_next_id(), went_back(back));
    }
    time.store(NOW, SeqCst);
    assert_eq!(snowflake.try_next_id(), Ok(before + 1));
}

#[tokio::test(start_paused = true)]
async fn five_seconds_back_are_an_error_or_waited_for() {
    for max_wait in [SECOND, 6 * SECOND] {
        let snowflake = Snowflake::fixed(7).unwrap();
        let snowflake = snowflake.clock(jumping(-5_000)).max_wait(max_wait);
        time::sleep(999 * MS).await;
        let before = snowflake.next_id().await.unwrap();
        time::sleep(MS).await;
        let begun = Instant::now();
        let next = snowflake.next_id().await;
        if max_wait == SECOND {
            assert_eq!(next, went_back(4_999));
            assert_eq!(
                begun.elapsed(),
                Duration::ZERO,
                "it is not waited for in vain"
            );
        } else {
            assert!(next.unwrap() > before);
            assert!(begun.elapsed() >= 4_999 * MS && begun.elapsed() <= max_wait);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn once_the_node_is_lost_there_are_no_ids() {
    for hangs in [false, true] {
        let spy = Arc::new(Spy::default());
        let ids = InstanceIds::new(Arc::clone(&spy) as _, "svc").unwrap();
        let id = Arc::new(ids.acquire().await.unwrap());
        let snowflake = Snowflake::new(Arc::clone(&id)).unwrap();
        let made = snowflake.next_id().await.unwrap();
        assert_eq!(snowflake.decode(made).node, id.id().unwrap());
        assert_eq!(snowflake.node(), id.id());
        if hangs {
            spy.hang(true);
        } else {
            spy.store
                .delete(Delete::one(id.key().to_owned()))
                .await
                .unwrap();
        }
        let lost = id.lost().await;
        for _ in 0..10 {
            assert_eq!(
                snowflake.try_next_id(),
                Err(SnowflakeError::Lost(lost.clone()))
            );
            assert_eq!(
                snowflake.next_id().await,
                Err(SnowflakeError::Lost(lost.clone()))
            );
            spy.hang(false);
            time::sleep(10 * SECOND).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_late_to_hear_makes_none_either() {
    // Nobody has polled anything since the lease may be over: only the clock can tell.
    let spy = Arc::new(Spy::default());
    let ids = InstanceIds::new(Arc::clone(&spy) as _, "svc").unwrap();
    let snowflake = Snowflake::new(ids.acquire().await.unwrap()).unwrap();
    assert!(snowflake.try_next_id().is_ok());
    let advance = time::advance(28 * SECOND);
    spy.hang(true);
    advance.now_or_never();
    assert!(matches!(
        snowflake.try_next_id(),
        Err(SnowflakeError::Lost(_))
    ));
}

#[tokio::test]
async fn one_number_has_one_generator_in_its_life() {
    let ids = InstanceIds::new(Arc::new(MemoryStore::new()), "svc").unwrap();
    let id = Arc::new(ids.acquire().await.unwrap());
    let first = Snowflake::new(Arc::clone(&id)).unwrap();
    for _ in 0..2 {
        let error = Snowflake::new(Arc::clone(&id)).unwrap_err();
        assert!(error.to_string().contains(id.key()), "{error}");
    }
    drop(first);
    // In the same millisecond it would begin with the same sequence.
    assert!(Snowflake::new(id).is_err());
}

#[test]
fn fixtures_of_other_makers_decode() {
    // https://en.wikipedia.org/wiki/Snowflake_ID: 2022-06-28 16:07:40.105 UTC, machine 378.
    let twitter = SnowflakeParts::decode(1_541_815_603_606_036_480, EPOCH);
    assert_eq!(twitter.unix_millis, 1_656_432_460_105);
    assert_eq!((twitter.node, twitter.sequence), (378, 0));
    assert_eq!((twitter.datacenter(), twitter.worker()), (11, 26));
    assert_eq!(twitter.time().as_millis(), 1_656_432_460_105);

    // bwmarrin: (ms - epoch) << 22 | node << 12 | step; gochat: node is datacenter << 5 | worker.
    let (ms, dc, worker, step) = (NOW - EPOCH, 3, 17, 4_095);
    let bwmarrin = ms << 22 | 113 << 12 | step;
    assert_eq!(bwmarrin, ms << 22 | dc << 17 | worker << 12 | step);
    let parts = SnowflakeParts::decode(bwmarrin as i64, EPOCH);
    assert_eq!(
        (parts.unix_millis, parts.node, parts.sequence),
        (NOW, 113, 4_095)
    );
    assert_eq!((parts.datacenter(), parts.worker()), (3, 17));

    let (_, clock) = clock(NOW);
    let snowflake = Snowflake::fixed(113).unwrap().clock(clock);
    let last = (0..4_096).map(|_| snowflake.try_next_id().unwrap()).last();
    assert_eq!(last, Some(bwmarrin as i64));
    for id in [i64::MIN, -1, 0, i64::MAX] {
        let parts = SnowflakeParts::decode(id, u64::MAX);
        assert!(parts.node <= 1_023 && parts.sequence <= 4_095);
    }
}

#[test]
fn times_and_nodes_that_do_not_fit_are_refused() {
    for node in [1_024, u16::MAX] {
        let error = Snowflake::fixed(node).unwrap_err();
        assert!(matches!(
            error,
            StoreError::InvalidArgument { field: "node", .. }
        ));
    }
    let (time, clock) = clock(0);
    let snowflake = Snowflake::fixed(0).unwrap().clock(clock).epoch(NOW);
    for unix_millis in [0, NOW - 1, NOW + (1 << 41), u64::MAX] {
        time.store(unix_millis, SeqCst);
        let error = SnowflakeError::OutOfRange { unix_millis };
        assert_eq!(snowflake.try_next_id(), Err(error));
    }
    for unix_millis in [NOW, NOW + (1 << 41) - 1] {
        time.store(unix_millis, SeqCst);
        let id = snowflake.try_next_id().unwrap();
        assert!(id > 0);
        assert_eq!(snowflake.decode(id).unix_millis, unix_millis);
    }
}
