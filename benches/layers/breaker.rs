//! Circuit breakers: closed, the path of nearly every call, and open.

use super::floor;
use failsafe::{
    Config, backoff,
    failure_policy::{self, ConsecutiveFailures},
    futures::CircuitBreaker,
};
use recloser::{AsyncRecloser, Recloser};
use std::{fmt::Debug, future::ready, time::Duration};
use tokio::runtime::Handle;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;
use ziggurat_benches::{Board, Noop};
use ziggurat_breaker::{Breaker, BreakerLayer, Settings, State};
use ziggurat_core::{ByResult, Live};

const COOL_DOWN: Duration = Duration::from_secs(3600);

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("breaker", "")
        .service("bare", || Noop)
        .service("floor", || floor::breaker(Duration::ZERO))
        .service("ziggurat", || ziggurat().layer(Noop))
        .service("recloser", || through_recloser(recloser()))
        .service("failsafe", || through_failsafe(Config::new().build()))
        .service("failsafe consecutive", || {
            through_failsafe(consecutive().build())
        })
        .service("tower-resilience", || {
            tower_resilience().build().expect("valid").layer(Noop)
        });

    board
        .section::<u64>("breaker", "open")
        .service("bare", || Noop)
        .rejecting("floor", || floor::breaker(COOL_DOWN))
        .rejecting("ziggurat", failed)
        .rejecting("recloser", || {
            let recloser = recloser();
            while !matches!(
                recloser.call(|| Err::<(), ()>(())),
                Err(recloser::Error::Rejected)
            ) {}
            through_recloser(recloser)
        })
        .rejecting("failsafe consecutive", || {
            let breaker = consecutive().build();
            while CircuitBreaker::is_call_permitted(&breaker) {
                _ = failsafe::CircuitBreaker::call(&breaker, || Err::<(), ()>(()));
            }
            through_failsafe(breaker)
        })
        .rejecting("tower-resilience", forced_tower_resilience);

    board
        .section::<u64>("breaker", "watched settings")
        .service("floor", || Noop)
        .service("ziggurat", || {
            let (_, watched) = Live::channel(Settings::new());
            BreakerLayer::new(watched)
                .classify_with(ByResult)
                .layer(Noop)
        });

    board
        .section::<u64>("breaker", "slow calls")
        .service("floor", || Noop)
        .service("ziggurat", || {
            let settings = Settings::new().slow_calls(COOL_DOWN, 0.5).expect("valid");
            BreakerLayer::new(settings)
                .classify_with(ByResult)
                .layer(Noop)
        });

    board
        .section::<u64>("breaker", "window of calls")
        .service("floor", || Noop)
        .service("ziggurat", || {
            let settings = Settings::new().window_of_calls(100).expect("valid");
            BreakerLayer::new(settings)
                .classify_with(ByResult)
                .layer(Noop)
        });

    board
        .section::<u64>("breaker", "forced open")
        .service("floor", || Noop)
        .rejecting("ziggurat", || {
            let layer = ziggurat();
            layer.handle().force_open();
            layer.layer(Noop)
        })
        .rejecting("tower-resilience", forced_tower_resilience);
}

fn ziggurat() -> BreakerLayer<ByResult> {
    let settings = Settings::new().open_for(COOL_DOWN).expect("valid");
    BreakerLayer::new(settings).classify_with(ByResult)
}

/// Opened by failures, as it would be.
fn failed() -> Breaker<Noop, ByResult> {
    let layer = ziggurat();
    let failing = layer.layer(service_fn(|_: u64| {
        ready(Err::<u64, BoxError>("down".into()))
    }));
    while layer.handle().state() == State::Closed {
        _ = Handle::current().block_on(failing.clone().oneshot(0));
    }
    layer.layer(Noop)
}

fn forced_tower_resilience()
-> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let (layer, handle) = tower_resilience().build_with_handle().expect("valid");
    Handle::current().block_on(handle.force_open());
    assert!(handle.is_open());
    layer.layer(Noop)
}

fn recloser() -> Recloser {
    Recloser::custom()
        .error_rate(0.5)
        .closed_len(100)
        .half_open_len(10)
        .open_wait(COOL_DOWN)
        .build()
}

fn through_recloser(
    recloser: Recloser,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let recloser = AsyncRecloser::from(recloser);
    service_fn(move |request| recloser.call(Noop.call(request)))
}

fn consecutive() -> Config<ConsecutiveFailures<backoff::Constant>, ()> {
    Config::new().failure_policy(failure_policy::consecutive_failures(
        5,
        backoff::constant(COOL_DOWN),
    ))
}

fn through_failsafe<B>(
    breaker: B,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static
where
    B: CircuitBreaker<FailurePolicy: 'static, Instrument: 'static> + Clone + Send + 'static,
{
    service_fn(move |request| {
        let answer = CircuitBreaker::call(&breaker, Noop.call(request));
        async move {
            answer
                .await
                .map_err(|error: failsafe::Error<BoxError>| error)
        }
    })
}

/// By count of calls: its window of time keeps a record of every call, and scans them all.
fn tower_resilience() -> tower_resilience_circuitbreaker::CircuitBreakerConfigBuilder<
    tower_resilience_circuitbreaker::DefaultClassifier,
> {
    CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_number_of_calls(10)
        .wait_duration_in_open(COOL_DOWN)
}
