//! What becomes of a call whose turn has come, and of the service that it waits for.

use crate::{
    SECOND,
    queued::{MS, layer},
    rate,
};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{self, Instant};
use tokio_test::{assert_pending, task};
use tower::{BoxError, Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer};
use ziggurat_core::{ByResult, Code, Rejection, Unready, error};
use ziggurat_limit::{Observer, Queue, RateLimitLayer};
use ziggurat_testkit::{Echo, Strict};

#[tokio::test(start_paused = true)]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let service = layer(rate(1, 1), 9).layer(Strict::echo().pending_first(1));
    for call in 0..3 {
        assert_eq!(service.clone().oneshot(call).await.unwrap(), call);
    }
    let mut one = service;
    ServiceExt::<u32>::ready(&mut one).await.unwrap();
    let waiting = one.call(1);
    ServiceExt::<u32>::ready(&mut one).await.unwrap();
    drop(waiting);
    assert_eq!(one.call(2).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_holds_nothing_of_the_service_inside() {
    let one_at_once = ConcurrencyLimitLayer::new(1).layer(Echo);
    let mut service = layer(rate(1, 1), 9).layer(one_at_once.clone());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let mut waiting = task::spawn(
        ServiceExt::<u32>::ready(&mut service)
            .await
            .unwrap()
            .call(2),
    );
    assert_pending!(waiting.poll());
    let mut other = one_at_once;
    assert!(
        task::spawn(ServiceExt::<u32>::ready(&mut other))
            .poll()
            .is_ready()
    );
    // Its turn comes, and it waits for the service.
    time::sleep(2 * SECOND).await;
    assert_pending!(waiting.poll());
    assert_eq!(other.call(3).await.unwrap(), 3);
    assert_eq!(waiting.await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_has_had_its_turn_and_waits_for_the_service_keeps_nobody_and_what_it_took_is_spent() {
    let one_at_once = ConcurrencyLimitLayer::new(1).layer(Echo);
    let service = layer(rate(1, 1), 1).layer(one_at_once.clone());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let mut first = task::spawn(service.clone().oneshot(2));
    assert_pending!(first.poll());
    let mut busy = one_at_once;
    ServiceExt::<u32>::ready(&mut busy).await.unwrap();
    time::sleep(SECOND).await;
    assert_pending!(first.poll());
    // It has left the queue, in which there is room for one.
    drop(busy);
    let mut second = task::spawn(service.clone().oneshot(3));
    assert_pending!(second.poll());
    drop(first);
    let begun = Instant::now();
    assert_eq!(second.into_inner().await.unwrap(), 3);
    assert!(begun.elapsed() >= 990 * MS, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_has_had_its_turn_waits_for_the_service_no_longer_than_the_queue_lets_it() {
    #[derive(Clone, Default)]
    struct Told(Arc<std::sync::atomic::AtomicUsize>);
    impl Observer for Told {
        fn limited(&self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let told = Told::default();
    let queue = Queue::new(9).unwrap().longest(3 * SECOND).unwrap();
    let limit = RateLimitLayer::new(rate(1, 1)).observe_with(told.clone());
    let one_at_once = ConcurrencyLimitLayer::new(1).layer(Echo);
    let service = limit.wait_in(queue).carry_with(ByResult);
    let service = service.layer(one_at_once.clone());
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let mut busy = one_at_once;
    ServiceExt::<u32>::ready(&mut busy).await.unwrap();
    let begun = Instant::now();
    // It was ready when it was called, and is not when its turn comes.
    let call = Box::pin(service.clone().call(2));
    let error = time::timeout(10 * SECOND, call).await.unwrap();
    let error = error.unwrap_err();
    let waited = begun.elapsed();
    assert!(
        (3 * SECOND..3 * SECOND + 5 * MS).contains(&waited),
        "{waited:?}"
    );
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::Unavailable);
    assert!(error::find::<Unready>(&*error).is_some(), "{error}");
    // The limit had let it in.
    assert_eq!(told.0.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_broken_by_the_time_a_turn_comes_is_told_as_unready() {
    #[derive(Clone)]
    struct Breaking(Instant);
    impl Service<u32> for Breaking {
        type Response = u32;
        type Error = BoxError;
        type Future = std::future::Ready<Result<u32, BoxError>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            let well = Instant::now() < self.0;
            Poll::Ready(well.then_some(()).ok_or_else(|| "broken".into()))
        }
        fn call(&mut self, request: u32) -> Self::Future {
            std::future::ready(Ok(request))
        }
    }
    let service = layer(rate(1, 1), 9).layer(Breaking(Instant::now() + SECOND / 2));
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    let error = service.oneshot(2).await.unwrap_err();
    assert!(error::find::<Unready>(&*error).is_some(), "{error}");
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::Unavailable);
}

/// Real time: the system's clock is the one that is held.
#[test]
fn who_blocks_where_time_is_held_has_its_turn_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let rate = rate(50, 1);
    let service = layer(rate, 8).layer(Echo);
    ziggurat_core::clock::hold(|| {
        let calls = async {
            for _ in 0..3 {
                service.clone().oneshot(1).await.unwrap();
            }
        };
        let calls = async { time::timeout(Duration::from_secs(5), calls).await };
        runtime.unwrap().block_on(calls).unwrap();
    });
}
