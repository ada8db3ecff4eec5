//! Slow calls, windows of calls, ramps, throttling, and circuits that are out of use.

use super::{
    MINUTE, SECOND,
    backend::{Backend, is_open, layer, open_up},
    five_for_a_minute,
};
use std::time::Duration;
use tokio::time;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use ziggurat_breaker::{Counts, Event, Settings, State, Throttled};
use ziggurat_core::{Code, Dice, Rejection, error};

/// Answers after so many milliseconds.
fn sleeper() -> impl Service<u64, Response = u64, Error = BoxError, Future: Send> + Clone {
    service_fn(|millis: u64| async move {
        time::sleep(Duration::from_millis(millis)).await;
        Ok(millis)
    })
}

fn is_throttled<T>(result: &Result<T, BoxError>) -> bool {
    let throttled = |error: &BoxError| error::find::<Throttled>(&**error).is_some();
    result.as_ref().is_err_and(throttled)
}

#[tokio::test(start_paused = true)]
async fn calls_that_succeed_too_slowly_open_it() {
    let settings = Settings::new().minimum_calls(10).unwrap();
    let settings = settings.slow_calls(100 * MILLISECOND, 0.5).unwrap();
    let service = layer(settings).layer(sleeper());
    for _ in 0..5 {
        service.clone().oneshot(100).await.unwrap();
    }
    for _ in 0..4 {
        service.clone().oneshot(101).await.unwrap();
    }
    assert_eq!(service.handle().state(), State::Closed);
    let counts = service.handle().counts();
    assert_eq!((counts.successes, counts.failures, counts.slow), (9, 0, 4));
    service.clone().oneshot(101).await.unwrap();
    assert!(is_open(&service.clone().oneshot(0).await));
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_opens_it_again() {
    let settings = five_for_a_minute().successes(1).unwrap();
    let settings = settings.slow_calls(SECOND, 1.0).unwrap();
    let breaker = layer(settings);
    let broken = breaker.layer(service_fn(|_: u32| async {
        Err::<u32, BoxError>("broken".into())
    }));
    open_up(&broken, &breaker.handle()).await;
    let service = breaker.layer(sleeper());
    time::advance(MINUTE).await;
    service.clone().oneshot(1_001).await.unwrap();
    assert_eq!(breaker.handle().state(), State::Open);
    time::advance(MINUTE).await;
    service.oneshot(1_000).await.unwrap();
    assert_eq!(breaker.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_calls_remembers_them_however_long_ago_they_were() {
    let settings = five_for_a_minute().consecutive_failures(None).unwrap();
    let settings = settings.window_of_calls(10).unwrap();
    let settings = settings.minimum_calls(10).unwrap();
    let backend = Backend::default();
    let (inner, _) = backend.service();
    let service = layer(settings).layer(inner);
    for _ in 0..10 {
        service.clone().oneshot(0).await.unwrap();
    }
    backend.breaks(true);
    for failure in 1..=5 {
        assert_eq!(service.handle().counts().failures, failure - 1);
        time::advance(60 * MINUTE).await;
        service.clone().oneshot(0).await.unwrap_err();
    }
    assert_eq!(service.handle().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn on_a_ramp_the_load_grows_and_a_relapse_opens_it() {
    let settings = five_for_a_minute().successes(1).unwrap();
    let settings = settings.ramp(10 * SECOND).unwrap();
    let backend = Backend::default();
    let (inner, _) = backend.service();
    let service = layer(settings).dice(Dice::seeded(7)).layer(inner);
    let handle = service.handle();
    let mut served = Vec::new();
    for _ in 0..2 {
        backend.breaks(true);
        open_up(&service, &handle).await;
        backend.breaks(false);
        time::advance(MINUTE).await;
        service.clone().oneshot(0).await.unwrap();
        assert_eq!(handle.state(), State::Recovering);
        for _ in 0..2 {
            let mut admitted = 0;
            for _ in 0..1_000 {
                let answer = service.clone().oneshot(0).await;
                assert!(answer.is_ok() || is_throttled(&answer));
                admitted += usize::from(answer.is_ok());
            }
            served.push(admitted);
            time::advance(5 * SECOND).await;
        }
        service.clone().oneshot(0).await.unwrap();
        assert_eq!(handle.state(), State::Closed);
    }
    let about = |share: usize, of: usize| share.abs_diff(of) < 60;
    assert!(about(served[0], 100) && about(served[2], 100), "{served:?}");
    assert!(about(served[1], 500) && about(served[3], 500), "{served:?}");
    // A relapse on the ramp.
    backend.breaks(true);
    open_up(&service, &handle).await;
    backend.breaks(false);
    time::advance(MINUTE).await;
    service.clone().oneshot(0).await.unwrap();
    backend.breaks(true);
    while handle.state() == State::Recovering {
        service.clone().oneshot(0).await.unwrap_err();
    }
    assert_eq!(handle.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn throttling_sends_a_failing_service_twice_what_it_manages() {
    let settings = Settings::new().adaptive(2.0).unwrap();
    let capacity = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let taken = std::sync::Arc::clone(&capacity);
    // It manages 10 calls a second, and says so to all others.
    let inner = service_fn(move |()| {
        let full = taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 10;
        let answer = match full {
            true => Err(Rejection::decided(Code::ResourceExhausted, "full").into()),
            false => Ok::<_, BoxError>(()),
        };
        std::future::ready(answer)
    });
    let service = layer(settings).dice(Dice::seeded(3)).layer(inner);
    let mut sent = 0;
    for second in 0..60 {
        for _ in 0..100 {
            let answer = service.clone().oneshot(()).await;
            // The window has forgotten the start.
            sent += u64::from(second >= 30 && !is_throttled(&answer));
        }
        capacity.store(0, std::sync::atomic::Ordering::Relaxed);
        time::advance(SECOND).await;
    }
    assert_eq!(service.handle().state(), State::Throttling);
    assert!(
        (500..=800).contains(&sent),
        "{sent} of 3,000 were sent, 600 are twice 300"
    );
    // Well again, and nobody is turned away after a while.
    capacity.store(0, std::sync::atomic::Ordering::Relaxed);
    time::advance(11 * SECOND).await;
    service.clone().oneshot(()).await.unwrap();
    assert_eq!(service.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn out_of_use_it_sends_every_call() {
    let backend = Backend::default();
    backend.breaks(true);
    let (inner, gauge) = backend.service();
    let service = layer(five_for_a_minute()).layer(inner);
    let handle = service.handle();
    for (turn, state, counted) in [(true, State::Disabled, 0), (false, State::MetricsOnly, 20)] {
        if turn {
            handle.disable();
        } else {
            handle.metrics_only();
        }
        let before = gauge.started();
        for _ in 0..20 {
            service.clone().oneshot(0).await.unwrap_err();
        }
        assert_eq!((gauge.started() - before, handle.state()), (20, state));
        assert_eq!(handle.counts().failures, counted);
    }
    handle.reset();
    open_up(&service, &handle).await;
    assert_eq!(handle.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_out_of_use_counts_no_success_either() {
    let breaker = layer(five_for_a_minute());
    let (service, handle) = (breaker.layer(sleeper()), breaker.handle());
    service.clone().oneshot(0).await.unwrap();
    assert_eq!(handle.counts().successes, 1);
    handle.disable();
    service.clone().oneshot(0).await.unwrap();
    assert_eq!(handle.counts(), Counts::default());
    handle.reset();
    assert_eq!(handle.counts(), Counts::default());
    service.oneshot(0).await.unwrap();
    assert_eq!(handle.counts().successes, 1);
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_a_slow_reader_learns_what_it_missed() {
    let breaker = layer(five_for_a_minute());
    let handle = breaker.handle();
    let mut events = handle.events();
    handle.force_open();
    handle.reset();
    let changed = |from, to| Some(Event::Changed { from, to });
    let (closed, forced) = (State::Closed, State::ForcedOpen);
    assert_eq!(events.next().await, changed(closed, forced));
    assert_eq!(events.next().await, changed(forced, closed));
    for _ in 0..50 {
        handle.force_open();
        handle.reset();
    }
    assert_eq!(events.next().await, Some(Event::Missed(36)));
    assert_eq!(events.next().await, changed(closed, forced));
    drop((breaker, handle));
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last, changed(forced, closed));
}

#[tokio::test(start_paused = true)]
async fn a_strict_service_is_called_as_it_was_polled() {
    let settings = five_for_a_minute().slow_calls(SECOND, 1.0).unwrap();
    let backend = Backend::default();
    let (inner, gauge) = backend.service();
    let mut service = ServiceBuilder::new().layer(layer(settings)).service(inner);
    for call in 0..3 {
        assert_eq!(
            service.ready().await.unwrap().call(call).await.unwrap(),
            call
        );
    }
    assert_eq!(gauge.started(), 3);
}

const MILLISECOND: Duration = Duration::from_millis(1);
