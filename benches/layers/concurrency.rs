//! Concurrency limits, with permits to spare and with none; set, and found.

use std::{
    fmt::Debug,
    future::pending,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_resilience_adaptive::{AdaptiveLimiterLayer, Aimd as TheirAimd, Vegas as TheirVegas};
use tower_resilience_bulkhead::BulkheadLayer;
use ziggurat_benches::{Board, Noop};
use ziggurat_concurrency::{Aimd, ConcurrencyLayer, Settings, Vegas};
use ziggurat_core::ByResult;

const PERMITS: u32 = 1024;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("concurrency", "")
        .service("bare", || Noop)
        .service("ziggurat", || ours(PERMITS).layer(Noop))
        .service("tower", || {
            ConcurrencyLimitLayer::new(PERMITS as usize).layer(Noop)
        })
        .service("tower-resilience", || {
            BulkheadLayer::builder()
                .max_concurrent_calls(PERMITS as usize)
                .build()
                .expect("valid")
                .layer(Noop)
        });

    board
        .section::<u64>("concurrency", "rejecting")
        .service("bare", || Noop)
        .rejecting("ziggurat", || full(ours(1)));

    board
        .section::<u64>("concurrency", "aimd")
        .service("bare", || Noop)
        .service("ziggurat", || {
            let aimd = Aimd::new().limits(1, PERMITS, PERMITS).expect("valid");
            ours(PERMITS).adaptive(aimd).layer(Noop)
        })
        .service("tower-resilience", || {
            let aimd = TheirAimd::builder()
                .initial_limit(PERMITS as usize)
                .max_limit(PERMITS as usize)
                .latency_threshold(Duration::from_secs(1));
            AdaptiveLimiterLayer::new(aimd.build().expect("valid")).layer(Noop)
        });

    board
        .section::<u64>("concurrency", "vegas")
        .service("bare", || Noop)
        .service("ziggurat", || {
            let vegas = Vegas::new().limits(1, PERMITS, PERMITS).expect("valid");
            ours(PERMITS).adaptive(vegas).layer(Noop)
        })
        .service("tower-resilience", || {
            let vegas = TheirVegas::builder()
                .initial_limit(PERMITS as usize)
                .max_limit(PERMITS as usize);
            AdaptiveLimiterLayer::new(vegas.build().expect("valid")).layer(Noop)
        });
}

fn ours(permits: u32) -> ConcurrencyLayer<ByResult> {
    let settings = Settings::new(permits).expect("valid");
    ConcurrencyLayer::new(settings).classify_with(ByResult)
}

/// Its one permit is out, for good.
fn full(
    layer: ConcurrencyLayer<ByResult>,
) -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static {
    let stuck = tower::service_fn(|_: u64| pending::<Result<u64, tower::BoxError>>());
    let mut call = Box::pin(layer.layer(stuck).oneshot(0));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut nobody).is_pending());
    // Kept by whoever is measured, not by a task.
    let held = Arc::new(Mutex::new(call));
    let limited = layer.layer(Noop);
    Keep {
        limited,
        _held: held,
    }
}

#[derive(Clone)]
struct Keep<S, H> {
    limited: S,
    _held: H,
}

impl<S: Service<u64>, H> Service<u64> for Keep<S, H> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.limited.poll_ready(cx)
    }

    fn call(&mut self, request: u64) -> S::Future {
        self.limited.call(request)
    }
}
