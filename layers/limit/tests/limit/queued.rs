//! Calls that wait: in order, in bounds, never too late, and gone when dropped.

use crate::{SECOND, rate};
use std::{sync::Arc, time::Duration};
use tokio::time::{self, Instant};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use ziggurat_core::{ByResult, CallOptions, Code, Deadline, Live, Rejection, error};
use ziggurat_limit::{
    Each, Limited, Observer, Queue, QueuedFuture, QueuedLimit, QueuedLimitLayer, Rate,
    RateLimitLayer, TooCostly,
};
use ziggurat_testkit::{Counting, Echo, Strict, assert_clone, assert_send, assert_sync};

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn layer(rate: Rate, calls: usize) -> QueuedLimitLayer<Each, ByResult> {
    let layer = RateLimitLayer::new(rate).wait_in(Queue::new(calls).unwrap());
    layer.carry_with(ByResult)
}

pub(crate) fn waits(error: &BoxError) -> Duration {
    error::find::<Limited>(&**error).unwrap().retry_after()
}

#[tokio::test(start_paused = true)]
async fn calls_leave_at_the_rate_in_the_order_in_which_they_came() {
    let (inner, gauge) = Counting::new(Strict::echo());
    let service = layer(rate(10, 1), 100).layer(inner);
    let begun = Instant::now();
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 0);
    let mut calls: Vec<_> = (1..20)
        .map(|call| task::spawn(service.clone().oneshot(call)))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    for (nth, call) in (1..).zip(calls) {
        assert_eq!(call.into_inner().await.unwrap(), nth);
        // The timer ticks in milliseconds.
        let due = 100 * MS * nth;
        assert!((due..due + 20 * MS).contains(&begun.elapsed()), "{nth}");
        assert_eq!(gauge.started(), nth as usize + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_until_its_time_is_up_takes_nothing() {
    let (inner, gauge) = Counting::new(Strict::echo());
    let queue = Queue::new(10).unwrap().longest(SECOND).unwrap();
    let layer = RateLimitLayer::new(rate(2, 1)).wait_in(queue);
    let service = layer.carry_with(ByResult).layer(inner);
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 0);
    let mut late = task::spawn(service.clone().oneshot(1));
    assert_pending!(late.poll());
    time::advance(2 * SECOND).await;
    let error = assert_ready!(late.poll()).unwrap_err();
    assert!(error::find::<Limited>(&*error).is_some());
    assert_eq!(gauge.started(), 1);
    // What it might have had is there for the next.
    drop(late);
    assert_eq!(service.oneshot(2).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_one_too_many_hears_when_to_come_back() {
    let service = layer(rate(10, 1), 3).layer(Strict::echo());
    let mut calls: Vec<_> = (0..4)
        .map(|call| task::spawn(service.clone().oneshot(call)))
        .collect();
    for call in &mut calls[1..] {
        let _ = call.poll();
    }
    // The first comes last, and is the one too many: one went at once, and three wait.
    let mut late = task::spawn(service.oneshot(9));
    let _ = calls[0].poll();
    let error = assert_ready!(late.poll()).unwrap_err();
    assert_eq!(waits(&error), 400 * MS);
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::ResourceExhausted);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_be_too_late_is_told_at_once() {
    let layer = RateLimitLayer::new(rate(10, 1)).wait_in(Queue::new(9).unwrap());
    let service = layer.layer(service_fn(|_: http::Request<()>| async {
        Ok::<_, BoxError>(())
    }));
    let by = |deadline: Duration| {
        let options = CallOptions::new().deadline(Deadline::after(deadline));
        let request = http::Request::builder().extension(options).body(());
        request.unwrap()
    };
    service.clone().oneshot(by(SECOND)).await.unwrap();
    let begun = Instant::now();
    let error = service.clone().oneshot(by(99 * MS)).await.unwrap_err();
    assert_eq!((waits(&error), begun.elapsed()), (100 * MS, Duration::ZERO));
    service.clone().oneshot(by(110 * MS)).await.unwrap();

    let mut first = task::spawn(service.clone().oneshot(by(SECOND)));
    assert_pending!(first.poll());
    // With one before it, it would take 200 ms.
    let error = service.oneshot(by(150 * MS)).await.unwrap_err();
    assert!(waits(&error) > 150 * MS);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_queue_lets_them() {
    let queue = Queue::new(9).unwrap().longest(SECOND).unwrap();
    let layer = RateLimitLayer::new(Rate::new(1, 2 * SECOND).unwrap()).wait_in(queue);
    let service = layer.carry_with(ByResult).layer(Strict::echo());
    service.clone().oneshot(1).await.unwrap();
    let error = service.clone().oneshot(2).await.unwrap_err();
    assert_eq!(waits(&error), 2 * SECOND);
    time::advance(1_500 * MS).await;
    service.oneshot(3).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_dropped_gives_its_place_and_its_tokens_back() {
    let (inner, gauge) = Counting::new(Strict::echo());
    let service = layer(rate(1, 1), 2).layer(inner);
    service.clone().oneshot(0).await.unwrap();
    let mut gone = task::spawn(service.clone().oneshot(1));
    let mut stays = task::spawn(service.clone().oneshot(2));
    assert_pending!(gone.poll());
    assert_pending!(stays.poll());
    let mut full = task::spawn(service.clone().oneshot(3));
    assert!(assert_ready!(full.poll()).is_err());

    drop(gone);
    // There is a place again; and who was second is first: a second later, not two.
    let mut late = task::spawn(service.clone().oneshot(4));
    assert_pending!(stays.poll());
    assert_pending!(late.poll());
    let begun = Instant::now();
    assert_eq!(stays.into_inner().await.unwrap(), 2);
    assert!(begun.elapsed() <= SECOND + 2 * MS, "{:?}", begun.elapsed());
    assert_eq!(late.into_inner().await.unwrap(), 4);
    assert_eq!(gauge.started(), 3);
    gauge.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_waiters_that_come_and_go_leave_nothing_behind() {
    let service = layer(rate(100, 1), 10).layer(Strict::echo());
    for call in 0..1_000 {
        let mut gone = task::spawn(service.clone().oneshot(call));
        let _ = gone.poll();
        drop(gone);
    }
    time::advance(20 * MS).await;
    let begun = Instant::now();
    service.clone().oneshot(1).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_costs_more_waits_longer_and_nobody_overtakes_it() {
    let layer = RateLimitLayer::new(rate(10, 10)).cost_with(|cost: &u32| *cost);
    let layer = layer.wait_in(Queue::new(9).unwrap()).carry_with(ByResult);
    let service = layer.layer(Strict::echo());
    service.clone().oneshot(10).await.unwrap();
    let begun = Instant::now();
    let timed = async |cost| {
        assert_eq!(service.clone().oneshot(cost).await.unwrap(), cost);
        begun.elapsed()
    };
    let (big, small) = tokio::join!(timed(10), timed(1));
    assert!((SECOND..SECOND + 5 * MS).contains(&big), "{big:?}");
    assert!(
        (SECOND + 100 * MS..SECOND + 110 * MS).contains(&small),
        "{small:?}"
    );
    let error = service.oneshot(11).await.unwrap_err();
    let costly = error::find::<TooCostly>(&*error).unwrap();
    assert_eq!((costly.cost(), costly.burst()), (11, 10));
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_raised_serves_those_who_wait_by_the_old_one() {
    let (setter, live) = Live::channel(Rate::new(1, 1_000 * SECOND).unwrap());
    let queue = Queue::new(9).unwrap().longest(3_600 * SECOND).unwrap();
    let layer = RateLimitLayer::new(live)
        .wait_in(queue)
        .carry_with(ByResult);
    let service = layer.layer(Strict::echo());
    assert_eq!(service.clone().oneshot(0).await.unwrap(), 0);
    let mut calls: Vec<_> = (1..4)
        .map(|call| task::spawn(service.clone().oneshot(call)))
        .collect();
    for call in &mut calls[..3] {
        assert_pending!(call.poll());
    }
    let begun = Instant::now();
    setter.set(rate(10, 1));
    for (nth, call) in (1..).zip(calls) {
        assert_eq!(call.into_inner().await.unwrap(), nth);
    }
    assert!(begun.elapsed() <= 2 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_who_waits_and_who_does_not_get_in() {
    #[derive(Clone, Default)]
    struct Count(Arc<[std::sync::atomic::AtomicUsize; 2]>);
    impl Observer for Count {
        fn queued(&self) {
            self.0[0].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        fn limited(&self) {
            self.0[1].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let count = Count::default();
    let limit = RateLimitLayer::new(rate(1, 1)).observe_with(count.clone());
    let layer = limit.wait_in(Queue::new(1).unwrap()).carry_with(ByResult);
    let service = layer.layer(Strict::echo());
    service.clone().oneshot(1).await.unwrap();
    let mut waits = task::spawn(service.clone().oneshot(2));
    assert_pending!(waits.poll());
    assert!(service.oneshot(3).await.is_err());
    waits.into_inner().await.unwrap();
    let counts = count.0.each_ref();
    let counts = counts.map(|count| count.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(counts, [1, 1]);
}

#[test]
fn a_queue_that_makes_no_sense_is_refused_by_name() {
    let queue = Queue::new(1).unwrap();
    for (refused, field) in [
        (Queue::new(0), "calls"),
        (Queue::new(usize::MAX), "calls"),
        (queue.longest(Duration::ZERO), "longest"),
        (queue.longest(Duration::MAX), "longest"),
    ] {
        assert_eq!(refused.unwrap_err().field(), field);
    }
}

#[test]
fn a_queue_needs_no_runtime_and_all_is_send_sync_and_clone() {
    drop(layer(rate(1, 1), 1).layer(Echo));
    assert_clone::<QueuedLimitLayer>();
    assert_clone::<QueuedLimit<Echo>>();
    assert_sync::<QueuedLimit<Echo>>();
    assert_send::<QueuedFuture<Echo, u32>>();
}
