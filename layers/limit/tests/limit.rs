#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! The limit, seen from outside: paused clock, strict inner services.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{sync::Semaphore, time};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;
use ziggurat_core::{Code, Live, Rejection, Sent, Unready, clock, error};
use ziggurat_limit::{
    Limited, Observer, Rate, RateLimit, RateLimitLayer, ResponseFuture, TooCostly,
};
use ziggurat_testkit::{
    Counting, Echo, Gate, Strict, assert_clone, assert_send, assert_sync, tonic,
};

#[path = "limit/addresses.rs"]
mod addresses;
#[path = "limit/keyed.rs"]
mod keyed;
#[path = "limit/nested.rs"]
mod nested;
#[path = "limit/queued.rs"]
mod queued;
#[path = "limit/turns.rs"]
mod turns;

const SECOND: Duration = Duration::from_secs(1);

fn rate(count: u32, burst: u32) -> Rate {
    Rate::per_second(count).unwrap().burst(burst).unwrap()
}

fn layer(count: u32, burst: u32) -> RateLimitLayer {
    RateLimitLayer::new(rate(count, burst))
}

async fn admitted<S>(service: &S, calls: usize) -> usize
where
    S: Service<u32, Response = u32, Error = BoxError> + Clone,
{
    let mut admitted = 0;
    for call in 0..calls {
        match service.clone().oneshot(call as u32).await {
            Ok(_) => admitted += 1,
            Err(error) => assert!(error::find::<Limited>(&*error).is_some(), "{error}"),
        }
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_a_hundred_admits_twenty_and_ten_seconds_a_hundred_more() {
    let (inner, gauge) = Counting::new(Strict::echo());
    let service = layer(10, 20).layer(inner);
    assert_eq!(admitted(&service, 100).await, 20);
    let mut more = 0;
    for _ in 0..1_000 {
        time::advance(Duration::from_millis(10)).await;
        more += admitted(&service, 3).await;
    }
    assert_eq!(more, 100);
    assert_eq!(gauge.started(), 120);
    gauge.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_rejection_tells_exactly_when_to_come_back() {
    let service = layer(10, 1).layer(Strict::echo());
    service.clone().oneshot(1).await.unwrap();
    time::advance(Duration::from_millis(30)).await;
    let error = service.clone().oneshot(2).await.unwrap_err();
    let wait = error::find::<Limited>(&*error).unwrap().retry_after();
    assert_eq!(wait, Duration::from_millis(70));

    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::ResourceExhausted);
    assert_eq!(rejection.sent(), Sent::Never);
    assert!(rejection.is_decision());
    assert_eq!(rejection.retry_after(), Some(wait));

    time::advance(wait - Duration::from_millis(1)).await;
    assert!(service.clone().oneshot(3).await.is_err());
    time::advance(Duration::from_millis(1)).await;
    assert!(service.oneshot(4).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_generated_client_sees_resource_exhausted_and_the_pushback() {
    let rate = Rate::new(10, 3 * SECOND).unwrap();
    let service = RateLimitLayer::new(rate.burst(1).unwrap()).layer(Strict::echo());
    service.clone().oneshot(1).await.unwrap();
    let error = service.oneshot(2).await.unwrap_err();
    let status = tonic::Status::from_error(error);
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(status.message(), "rate limit exceeded");
    assert_eq!(
        status.metadata().get("grpc-retry-pushback-ms").unwrap(),
        "300"
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_nothing() {
    let permits = Arc::new(Semaphore::new(1));
    let service = layer(10, 20).layer(Strict::echo().permits(Arc::clone(&permits)));
    for _ in 0..10_000 {
        let mut service = service.clone();
        ServiceExt::<u32>::ready(&mut service).await.unwrap();
    }
    assert_eq!(permits.available_permits(), 1);
    assert_eq!(admitted(&service, 100).await, 20);
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn readiness_is_the_inner_services_whether_or_not_there_is_a_permit() {
    let gate = Gate::default();
    let mut service = task::spawn(layer(1, 1).layer(Strict::echo().gate(&gate)));
    for expected in [true, false] {
        assert_ready_ok!(
            service.enter(|cx, mut service| Service::<u32>::poll_ready(&mut *service, cx))
        );
        let answer = service.enter(|_, mut service| service.call(1)).await;
        assert_eq!(answer.is_ok(), expected);
    }
    gate.close();
    let fresh = service.enter(|_, service| service.clone());
    let mut fresh = task::spawn(fresh);
    assert_pending!(fresh.enter(|cx, mut service| Service::<u32>::poll_ready(&mut *service, cx)));
    // An hour without a permit is no reason to be polled.
    let polls = gate.polls();
    time::advance(3_600 * SECOND).await;
    assert!(!fresh.is_woken());
    assert_eq!(gate.polls(), polls);
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_whose_readiness_fails_is_told_by_the_next_call_and_costs_nothing() {
    let gate = Gate::default();
    let mut service = layer(1, 1).layer(Strict::echo().gate(&gate));
    for _ in 0..3 {
        gate.fail_next(1);
        for _ in 0..2 {
            ServiceExt::<u32>::ready(&mut service).await.unwrap();
        }
        // Strict panics if a service that is not ready is called.
        let error = service.call(1).await.unwrap_err();
        let unready = error::find::<Unready>(&*error).unwrap();
        assert_eq!(unready.cause().to_string(), "poll_ready was told to fail");
        let status = tonic::Status::from_error(error);
        assert_eq!(status.code(), tonic::Code::Unavailable);
    }
    assert_eq!(gate.polls(), 3, "what failed is not asked again");
    gate.fail_next(1);
    ServiceExt::<u32>::ready(&mut service).await.unwrap();
    assert_eq!(service.clone().oneshot(2).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_layer_is_one_limit_and_an_isolated_one_another() {
    let layer = layer(10, 20);
    let (one, two) = (
        layer.layer(Strict::echo()),
        layer.clone().layer(Strict::echo()),
    );
    let other = layer.isolated().layer(Strict::echo());
    assert_eq!(admitted(&one, 15).await, 15);
    assert_eq!(admitted(&two, 15).await, 5);
    assert_eq!(admitted(&other, 30).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_machine_mints_one_burst() {
    let service = layer(10, 20).layer(Strict::echo());
    assert_eq!(admitted(&service, 100).await, 20);
    time::advance(3_600 * SECOND).await;
    assert_eq!(admitted(&service, 100).await, 20);
}

/// Real time: of two threads one does not see that it goes on.
#[test]
fn a_call_for_which_time_stands_still_mints_none() {
    let rate = Rate::new(1, 3_600 * SECOND).unwrap().burst(5).unwrap();
    let layer = RateLimitLayer::new(rate).cost_with(|cost: &u32| *cost);
    let service = layer.layer(Echo);
    let call = |cost| {
        let mut call = task::spawn(service.clone().oneshot(cost));
        call.poll().map(|answer| answer.is_ok())
    };
    // Time begins with the first call.
    assert_eq!(call(0), Poll::Ready(true));
    clock::hold(|| {
        let began = clock::now();
        let others = || {
            while clock::now() == began {
                std::thread::yield_now();
            }
            (0..9).filter(|_| call(1) == Poll::Ready(true)).count()
        };
        let got = std::thread::scope(|scope| scope.spawn(others).join().unwrap());
        assert_eq!(got, 5);
        assert_eq!(call(1), Poll::Ready(false));
    });
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_is_in_force_at_the_next_call() {
    let (setter, live) = Live::channel(rate(1, 1));
    let service = RateLimitLayer::new(live).layer(Strict::echo());
    assert_eq!(admitted(&service, 10).await, 1);
    setter.set(rate(1_000, 5));
    assert_eq!(admitted(&service, 10).await, 1);
    time::advance(Duration::from_millis(5)).await;
    assert_eq!(admitted(&service, 10).await, 5);
    time::advance(SECOND).await;
    setter.set(rate(1, 2));
    assert_eq!(admitted(&service, 10).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_what_it_costs_and_one_above_the_burst_is_refused_by_name() {
    let layer = layer(10, 20).cost_with(|cost: &u32| *cost);
    let service = layer.layer(Strict::echo());
    for (cost, wait) in [
        (15, None),
        (6, Some(100)),
        (5, None),
        (20, Some(2_000)),
        (0, None),
    ] {
        let answer = service.clone().oneshot(cost).await;
        let waits = answer.err().map(|error| {
            let limited = error::find::<Limited>(&*error).unwrap();
            limited.retry_after().as_millis()
        });
        assert_eq!(waits, wait);
    }
    let error = service.clone().oneshot(21).await.unwrap_err();
    let costly = error::find::<TooCostly>(&*error).unwrap();
    assert_eq!((costly.cost(), costly.burst()), (21, 20));
    assert_eq!(
        costly.to_string(),
        "a call that costs 21 is above the burst of 20"
    );
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(
        (rejection.code(), rejection.retry_after()),
        (Code::InvalidArgument, None)
    );
    time::advance(2 * SECOND).await;
    assert!(service.oneshot(20).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_costly_call_comes_through_after_a_change_to_a_quicker_rate() {
    let (setter, live) = Live::channel(Rate::new(1, 3_600 * SECOND).unwrap().burst(9).unwrap());
    let layer = RateLimitLayer::new(live).cost_with(|cost: &u32| *cost);
    let service = layer.layer(Strict::echo());
    service.clone().oneshot(9).await.unwrap();
    setter.set(rate(1, 9));
    // Asked again and again, it is not put off again and again.
    let mut seconds = 0;
    while service.clone().oneshot(5).await.is_err() {
        time::advance(SECOND).await;
        seconds += 1;
    }
    assert_eq!(seconds, 4);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_of_the_rate_a_second_lose_no_call_and_mint_none() {
    // Two rates that admit the same: 1,000 a second, 10 at once; whichever is in force.
    let one = rate(1_000, 10);
    let two = Rate::new(2_000, 2 * SECOND).unwrap().burst(10).unwrap();
    let (setter, live) = Live::channel(one);
    let service = RateLimitLayer::new(live).layer(Strict::echo());
    assert_eq!(admitted(&service, 100).await, 10);
    let mut got = 0;
    for change in 0..5_000 {
        setter.set(if change % 2 == 0 { two } else { one });
        time::advance(SECOND / 1_000).await;
        got += admitted(&service, 3).await;
    }
    assert_eq!(got, 5_000);
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_every_rejection() {
    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);
    impl Observer for Count {
        fn limited(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let count = Count::default();
    let service = layer(10, 20)
        .observe_with(count.clone())
        .layer(Strict::echo());
    assert_eq!(admitted(&service, 100).await, 20);
    assert_eq!(count.0.load(Ordering::Relaxed), 80);
}

#[tokio::test(start_paused = true)]
async fn an_inner_error_comes_out_as_it_is() {
    let (mut service, mut inner) = mock::spawn_layer::<u32, u32, _>(layer(1, 1));
    assert_ready_ok!(service.poll_ready());
    let call = service.call(1);
    inner.next_request().await.unwrap().1.send_error("boom");
    assert_eq!(call.await.unwrap_err().to_string(), "boom");
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_inside_and_outside_other_layers() {
    let service = ServiceBuilder::new()
        .buffer(4)
        .concurrency_limit(1)
        .layer(layer(10, 20))
        .concurrency_limit(1)
        .service(Strict::echo().pending_first(1));
    for call in 0..30 {
        let answer = service.clone().oneshot(call).await;
        assert_eq!(answer.is_ok(), call < 20, "{answer:?}");
    }
}

#[test]
fn a_layer_needs_no_runtime_and_all_is_send_sync_and_clone() {
    let service = layer(1, 1).layer(Echo);
    drop(service);
    assert_clone::<RateLimitLayer>();
    assert_clone::<RateLimit<Echo>>();
    assert_send::<RateLimit<Echo>>();
    assert_sync::<RateLimit<Echo>>();
    assert_send::<ResponseFuture<std::future::Ready<Result<u32, BoxError>>>>();
    assert_send::<Limited>();
    assert_sync::<Limited>();
    assert_clone::<Limited>();
}
