//! One budget for all services of a layer.

use crate::kit::*;
use tower::{Layer, Service, ServiceExt};
use ziggurat_retry::RetryLayer;
use ziggurat_testkit::{HttpScript, Step, tonic::Code};

fn down() -> HttpScript {
    HttpScript::new([Step::trailers_only(Code::Unavailable)])
}

#[tokio::test(start_paused = true)]
async fn when_everything_fails_the_budget_bounds_the_load() {
    for (ratio, per_second) in [(0.2, 10), (0.1, 0), (0.6, 0), (1.0, 0)] {
        let inner = down();
        let none = ziggurat_core::Backoff::new(MS, 1.0, MS).unwrap();
        let settings = settings().backoff(none).budget(ratio, per_second).unwrap();
        let mut service = RetryLayer::new(settings).layer(inner.clone());
        let began = tokio::time::Instant::now();
        for _ in 0..1_000 {
            ready(&mut service).await.call(post()).await.unwrap();
        }
        let reserve = f64::from(per_second) * (10.0 + began.elapsed().as_secs_f64());
        let retries = inner.calls() as f64 - 1_000.0;
        assert!(retries <= 1_000.0 * ratio + reserve, "{ratio}: {retries}");
        assert!(
            retries >= (1_000.0 * ratio + reserve) * 0.95,
            "{ratio}: {retries}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_share_the_budget_and_an_isolated_layer_does_not() {
    let ten = settings().budget(0.0, 1).unwrap();
    let notes = Notes::default();
    let layer = RetryLayer::new(ten).observe_with(notes.clone());
    let inner = down();
    let service = layer.layer(inner.clone());
    service.clone().oneshot(post()).await.unwrap();
    service.clone().oneshot(post()).await.unwrap();
    layer
        .clone()
        .layer(inner.clone())
        .oneshot(post())
        .await
        .unwrap();
    layer.layer(inner.clone()).oneshot(post()).await.unwrap();
    // Ten in reserve, and one for each of the few seconds that it took.
    assert!((14..=18).contains(&inner.calls()), "{}", inner.calls());
    assert_eq!(notes.take().pop().unwrap(), "out of budget");
    let before = inner.calls();
    layer
        .isolated()
        .layer(inner.clone())
        .oneshot(post())
        .await
        .unwrap();
    assert_eq!(inner.calls(), before + 5);
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_hears_why_and_when() {
    let notes = Notes::default();
    let layer = RetryLayer::new(settings()).observe_with(notes.clone());
    layer.layer(down()).oneshot(post()).await.unwrap();
    assert_eq!(
        notes.take(),
        [
            "2 Answered(Unavailable) 100ms",
            "3 Answered(Unavailable) 200ms",
            "4 Answered(Unavailable) 400ms",
            "5 Answered(Unavailable) 800ms",
            "exhausted 5",
        ]
    );
    let options = ziggurat_core::CallOptions::new().timeout(50 * MS);
    layer
        .layer(down())
        .oneshot(with(post(), options))
        .await
        .unwrap();
    assert_eq!(notes.take(), ["out of time"]);
}
