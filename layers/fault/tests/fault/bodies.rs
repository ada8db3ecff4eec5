//! Bodies that come slowly, and bodies that break off.

use super::{Told, call, grpc, ms, under};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use ziggurat_core::error;
use ziggurat_fault::{FaultLayer, Faults, Injected, Kind};
use ziggurat_testkit::{HttpScript, Step};

#[tokio::test(start_paused = true)]
async fn a_slow_body_takes_as_long_as_its_bytes_take() {
    let faults = Faults::new().bandwidth(100, 1.0).unwrap();
    let begun = Instant::now();
    let answer = call(&under(faults), grpc()).await.unwrap();
    assert_eq!(begun.elapsed(), ms(0));
    let body = answer.into_body().collect().await.unwrap();
    // 10 bytes at 100 bytes a second.
    assert_eq!(begun.elapsed(), ms(100));
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes().len(), 10);
}

#[tokio::test]
async fn a_body_breaks_off_rather_than_be_longer() {
    for (bytes, whole) in [(0, false), (9, false), (10, true), (11, true)] {
        let faults = Faults::new().cut_after(bytes, 1.0).unwrap();
        let answer = call(&under(faults), grpc()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let mut failed = None;
        while let Some(frame) = body.frame().await {
            failed = frame.err();
        }
        assert_eq!(failed.is_none(), whole, "{bytes}");
        let injected = failed.map(|error| error::find::<Injected>(&*error).is_some());
        assert_ne!(injected, Some(false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_active_until_it_is_read_or_dropped() {
    let told = Told::default();
    let faults = Faults::new()
        .bandwidth(1, 1.0)
        .and_then(|faults| faults.cut_after(9, 1.0))
        .unwrap();
    let layer = FaultLayer::new(faults).observe_with(told.clone());
    let service = layer.layer(HttpScript::new([Step::grpc("hello")]));
    let answer = service.clone().oneshot(grpc()).await.unwrap();
    let dropped = service.oneshot(grpc()).await.unwrap();
    assert_eq!(layer.active(), 2);
    drop(dropped);
    assert_eq!(layer.active(), 1);
    let mut body = answer.into_body();
    while body.frame().await.is_some() {}
    assert_eq!(layer.active(), 0);
    assert_eq!(
        *told.kinds.lock().unwrap(),
        [Kind::Bandwidth, Kind::Cut, Kind::Bandwidth, Kind::Cut]
    );
}
