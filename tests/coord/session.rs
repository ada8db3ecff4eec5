//! Holding a lease, and knowing when it may be lost.

use super::support::{Spy, Task, keys};
use futures_util::FutureExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};
use ziggurat::coord::{Loss, MemoryStore, Put, Session, Store, StoreError};

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(30);

async fn open(store: &Arc<impl Store>, ttl: Duration) -> Session {
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    Session::open(store, ttl).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_every_third_of_its_time_or_a_little_earlier() {
    let spy = Arc::new(Spy::default());
    let session = open(&spy, TTL).await;
    time::sleep(95 * SECOND).await;
    let renewals = spy.renewals.load(SeqCst);
    assert!((9..=10).contains(&renewals), "{renewals}");
    assert!(session.is_held());
    assert!(session.ttl() > 16 * SECOND && session.ttl() <= 27 * SECOND);
    assert!(session.lost().now_or_never().is_none());
    assert!(spy.store.time_to_live(session.lease()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn it_is_lost_before_the_store_ends_it_whether_calls_fail_or_hang() {
    for ttl in [SECOND / 2, TTL, 600 * SECOND] {
        for hangs in [false, true] {
            let spy = Arc::new(Spy::default());
            let session = open(&spy, ttl).await;
            time::sleep(ttl * 2).await;
            let left = spy.store.time_to_live(session.lease()).await.unwrap();
            let ends = Instant::now() + left.remaining;
            spy.hang(hangs);
            spy.store.set_available(hangs);
            let lost = session.lost().await;
            assert_eq!(lost.loss(), Loss::Expired);
            assert!(Instant::now() < ends, "{ttl:?} {hangs}");
            assert!(
                Instant::now() + ttl / 5 >= ends,
                "{ttl:?} {hangs}: too early"
            );
            assert_eq!(session.check(), Err(lost));
            assert_eq!(session.ttl(), Duration::ZERO);

            // What is lost stays lost, even if the lease was still there.
            spy.hang(false);
            spy.store.set_available(true);
            assert!(spy.store.time_to_live(session.lease()).await.is_ok());
            time::sleep(ttl).await;
            assert!(!session.is_held());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_shorter_than_asked_is_renewed_and_given_up_by_its_own_time() {
    for hangs in [false, true] {
        let spy = Arc::new(Spy::default());
        *spy.stingy.lock().unwrap() = Some(3 * SECOND);
        let session = open(&spy, TTL).await;
        assert!(session.ttl() <= 3 * SECOND);
        time::sleep(60 * SECOND).await;
        assert!(session.is_held());
        let left = spy.store.time_to_live(session.lease()).await.unwrap();
        let ends = Instant::now() + left.remaining;
        spy.hang(hangs);
        spy.store.set_available(hangs);
        assert_eq!(session.lost().await.loss(), Loss::Expired);
        assert!(Instant::now() < ends);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenure_ends_with_its_session_and_keeps_nothing_held() {
    let store = Arc::new(MemoryStore::new());
    let session = open(&store, TTL).await;
    let (tenure, other) = (session.tenure(), session.tenure());
    assert_eq!(tenure.lease(), session.lease());
    assert_eq!(tenure.run(async { 42 }).await, Ok(42));
    assert!(tenure.ttl() > Duration::ZERO && tenure.check().is_ok());
    let bound = Task::spawn(async move { other.run(std::future::pending::<()>()).await });
    drop(session);
    assert_eq!(bound.done().await.unwrap_err().loss(), Loss::Released);
    assert_eq!(tenure.lost().await.loss(), Loss::Released);
    assert!(!tenure.is_held() && tenure.ttl().is_zero());
    let (alive, _) = (Arc::downgrade(&store), drop(store));
    assert!(alive.upgrade().is_none(), "a tenure keeps its store");
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_does_not_lose_it() {
    for hangs in [false, true] {
        let spy = Arc::new(Spy::default());
        let session = open(&spy, TTL).await;
        time::sleep(5 * SECOND).await;
        spy.hang(hangs);
        spy.store.set_available(hangs);
        time::sleep(18 * SECOND).await;
        spy.hang(false);
        spy.store.set_available(true);
        time::sleep(60 * SECOND).await;
        assert!(session.is_held(), "{hangs}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_the_store_ended_is_lost_at_the_next_renewal() {
    let store = Arc::new(MemoryStore::new());
    let session = open(&store, TTL).await;
    store.revoke(session.lease()).await.unwrap();
    let begun = Instant::now();
    assert_eq!(session.lost().await.loss(), Loss::Revoked);
    assert!(begun.elapsed() <= TTL / 3);
    let error = session.close().await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseNotFound { .. }));
}

#[tokio::test(start_paused = true)]
async fn work_is_dropped_when_it_is_lost() {
    struct Bell(Arc<AtomicUsize>);
    impl Drop for Bell {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let store = Arc::new(MemoryStore::new());
    let session = open(&store, TTL).await;
    assert_eq!(session.run(async { 42 }).await, Ok(42));
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = Bell(Arc::clone(&rung));
    store.revoke(session.lease()).await.unwrap();
    let work = session.run(async move {
        let _bell = bell;
        std::future::pending::<()>().await;
    });
    assert_eq!(work.await.unwrap_err().loss(), Loss::Revoked);
    assert_eq!(rung.load(SeqCst), 1);
    // Nothing is begun after that.
    let begun = session.run(async { unreachable!("work after the loss") });
    assert!(begun.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn closing_and_dropping_end_the_lease_its_keys_and_its_task() {
    let store = Arc::new(MemoryStore::new());
    for close in [true, false] {
        let session = open(&store, TTL).await;
        let (lease, lost) = (session.lease(), session.lost());
        store.put(Put::new("/k", "").lease(lease)).await.unwrap();
        if close {
            session.close().await.unwrap();
        } else {
            drop(session);
        }
        assert_eq!(lost.await.loss(), Loss::Released);
        assert_eq!(keys(&*store, "/k").await, []);
        assert!(store.time_to_live(lease).await.is_err());
        time::sleep(SECOND).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_fails_says_so_and_the_lease_runs_out() {
    let store = Arc::new(MemoryStore::new());
    let session = open(&store, TTL).await;
    let lease = session.lease();
    store.set_available(false);
    assert!(session.close().await.unwrap_err().is_transient());
    store.set_available(true);
    assert!(store.time_to_live(lease).await.is_ok());
    time::sleep(TTL + SECOND).await;
    assert!(store.time_to_live(lease).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn times_to_live_that_cannot_work_are_refused_by_field_and_value() {
    let store = Arc::new(MemoryStore::new());
    for ttl in [Duration::ZERO, Duration::from_millis(99), Duration::MAX] {
        let error = Session::open(Arc::clone(&store) as _, ttl)
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("ttl") && text.contains(&format!("{ttl:?}")),
            "{text}"
        );
    }
    let nobody = Session::open(store, TTL);
    let answer = std::thread::spawn(|| nobody.now_or_never()).join().unwrap();
    assert!(answer.unwrap().unwrap_err().is_transient());
}

#[test]
fn it_is_lost_when_the_runtime_that_renews_it_is_gone() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    let renewing = runtime();
    let store = Arc::new(MemoryStore::new());
    let session = renewing.block_on(open(&store, TTL));
    drop(renewing);
    assert_eq!(runtime().block_on(session.lost()).loss(), Loss::Released);
    assert!(!session.is_held());
}
