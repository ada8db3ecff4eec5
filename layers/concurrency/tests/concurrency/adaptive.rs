//! Limits that are found, in front of a server that gets slower the more it is sent.

use super::{
    MILLISECOND, SECOND,
    backend::{layer, server},
    settings,
};
use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{task::JoinSet, time};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use ziggurat_concurrency::{Aimd, Algorithm, Concurrency, Gradient2, Vegas, Window};
use ziggurat_core::{ByResult, Code, Dice, Rejection, expire};

const CAPACITY: usize = 20;

/// Offers three times what the server manages, for so many seconds; what of its capacity it answers
/// within 50 ms, in the second half.
async fn goodput<S>(service: &Concurrency<S, ByResult>, seconds: u32) -> f64
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let good = Arc::new(AtomicU32::new(0));
    let mut calls = JoinSet::new();
    for millisecond in 0..seconds * 1_000 {
        for _ in 0..3 * CAPACITY / 10 {
            let (service, good) = (service.clone(), Arc::clone(&good));
            calls.spawn(async move {
                let start = time::Instant::now();
                let answer = service.oneshot(0).await;
                let counts = millisecond >= seconds * 500;
                if counts && answer.is_ok() && start.elapsed() <= 50 * MILLISECOND {
                    good.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        time::sleep(MILLISECOND).await;
        while calls.try_join_next().is_some() {}
    }
    let capacity = CAPACITY as u32 * 100 * seconds / 2;
    f64::from(good.load(Ordering::Relaxed)) / f64::from(capacity)
}

async fn settles(algorithm: impl Algorithm + Clone + Sync, most: u32) {
    let layer = layer(settings(1_000)).adaptive(algorithm);
    let service = layer.layer(server(CAPACITY));
    let goodput = goodput(&service, 20).await;
    let limit = layer.handle().limit();
    assert!(goodput > 0.93, "{goodput} at {limit}");
    assert!((16..=most).contains(&limit), "{limit}");
}

#[tokio::test(start_paused = true)]
async fn vegas_settles_near_the_capacity_and_holds_goodput() {
    settles(Vegas::new().dice(Dice::seeded(1)), 35).await;
    let from_above = Vegas::new().limits(1, 400, 1_000).unwrap();
    settles(from_above.dice(Dice::seeded(1)), 35).await;
}

#[tokio::test(start_paused = true)]
async fn aimd_settles_near_the_capacity_and_holds_goodput() {
    settles(Aimd::new().slow(15 * MILLISECOND).unwrap(), 35).await;
}

#[tokio::test(start_paused = true)]
async fn gradient_settles_within_what_the_latency_allows() {
    settles(Gradient2::new().limits(5, 20, 400).unwrap(), 80).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_the_same_server_answers_nobody_in_time() {
    let service = layer(settings(1_000_000)).layer(server(CAPACITY));
    assert!(goodput(&service, 4).await < 0.1);
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_fails_or_is_turned_away_teaches_nothing() {
    let layer = layer(settings(1_000)).adaptive(Vegas::new());
    let service = layer.layer(service_fn(|kind: u32| async move {
        time::sleep(MILLISECOND).await;
        match kind {
            0 => pending().await,
            1 => Err(BoxError::from("failed")),
            2 => Err(Rejection::decided(Code::ResourceExhausted, "limited").into()),
            _ => Ok(kind),
        }
    }));
    for kind in 0..3 {
        for _ in 0..1_000 {
            let call = service.clone().oneshot(kind);
            let _ = time::timeout(2 * MILLISECOND, call).await;
        }
    }
    let handle = layer.handle();
    assert_eq!((handle.limit(), handle.in_flight()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_that_it_is_full_gets_less() {
    let layer = layer(settings(1_000)).adaptive(Aimd::new());
    let layer = layer.heed_refusals(true);
    let service = layer.layer(service_fn(|()| async {
        time::sleep(20 * MILLISECOND).await;
        let full = Rejection::decided(Code::ResourceExhausted, "full");
        Err::<(), BoxError>(full.with_sent(ziggurat_core::Sent::Unknown).into())
    }));
    for _ in 0..100 {
        service.clone().oneshot(()).await.unwrap_err();
    }
    assert!(layer.handle().limit() < 15);
}

#[tokio::test(start_paused = true)]
async fn the_settings_cap_what_an_algorithm_finds() {
    let layer = layer(settings(25)).adaptive(Vegas::new().dice(Dice::seeded(1)));
    let service = layer.layer(server(400));
    goodput(&service, 5).await;
    assert_eq!(layer.handle().limit(), 25);
    time::sleep(SECOND).await;
    assert_eq!(layer.isolated().handle().limit(), 20);
}

#[tokio::test(start_paused = true)]
async fn what_panics_in_an_algorithm_at_the_end_of_a_call_that_panics_ends_neither() {
    #[derive(Clone)]
    struct Broken;
    impl Algorithm for Broken {
        fn limit(&self) -> u32 {
            30
        }
        fn update(&mut self, _: &Window) -> u32 {
            panic!("on purpose")
        }
    }
    /// Timed out when it is dropped.
    struct Late<F>(Option<F>);
    impl<F> Drop for Late<F> {
        fn drop(&mut self) {
            let call = self.0.take();
            expire(|| drop(call));
        }
    }

    let layer = layer(settings(1_000)).adaptive(Broken);
    let service = layer.layer(service_fn(|()| pending::<Result<(), BoxError>>()));
    let late = |service: &Concurrency<_, ByResult>| {
        let mut call = tokio_test::task::spawn(service.clone().oneshot(()));
        assert!(call.poll().is_pending());
        Late(Some(call))
    };
    // The first opens a window, and each of the others could end it.
    drop(late(&service));
    time::advance(SECOND).await;
    for _ in 0..20 {
        let call = late(&service);
        let panics = AssertUnwindSafe(move || {
            let _call = call;
            panic!("on purpose, too");
        });
        catch_unwind(panics).unwrap_err();
    }
    let handle = layer.handle();
    assert_eq!((handle.limit(), handle.in_flight()), (30, 0));
}

/// Serves forty at once, each for so many milliseconds as is said when it begins.
fn slowing(
    took: &Arc<AtomicU32>,
) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static + use<>
{
    let (took, seats) = (Arc::clone(took), Arc::new(tokio::sync::Semaphore::new(40)));
    service_fn(move |request| {
        let (took, seats) = (Arc::clone(&took), Arc::clone(&seats));
        async move {
            let _seat = seats.acquire().await?;
            time::sleep(MILLISECOND * took.load(Ordering::Relaxed)).await;
            Ok(request)
        }
    })
}

/// Twenty calls a millisecond, for so many; how many were answered.
async fn offered<S>(service: &S, milliseconds: u32) -> u32
where
    S: Service<u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut calls = JoinSet::new();
    for _ in 0..milliseconds {
        for _ in 0..20 {
            let call = service.clone();
            calls.spawn(async move { u32::from(call.oneshot(0).await.is_ok()) });
        }
        time::sleep(MILLISECOND).await;
    }
    calls.join_all().await.into_iter().sum()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_becomes_ten_times_as_slow_is_found_out_in_seconds_and_its_recovery_at_once()
{
    let vegas = Vegas::new().limits(1, 60, 1_000).unwrap();
    let layer = layer(settings(1_000)).adaptive(vegas.dice(Dice::seeded(1)));
    let took = Arc::new(AtomicU32::new(1));
    let service = layer.layer(slowing(&took));
    assert_eq!(offered(&service, 2_000).await, 40_000);
    // One call in sixteen is timed when it begins; forty at once are all that it manages.
    took.store(10, Ordering::Relaxed);
    offered(&service, 3_000).await;
    let limit = layer.handle().limit();
    assert!((32..=48).contains(&limit), "{limit}");
    took.store(1, Ordering::Relaxed);
    time::sleep(SECOND).await;
    assert_eq!(offered(&service, 1_000).await, 20_000);
}
