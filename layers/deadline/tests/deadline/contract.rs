//! The contract that every layer keeps.

use super::{grpc, ms, within};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_deadline::{Body, DeadlineLayer, ResponseFuture, Scope, WithDeadline, mode::Http};
use ziggurat_testkit::{
    Counting, Gate, HttpScript, Step, Strict, assert_clone, assert_send, assert_send_value,
    assert_sync, drop_at_every_await_then,
};

#[tokio::test(start_paused = true)]
async fn calls_the_instance_that_was_polled() {
    let mut service = ServiceBuilder::new()
        .layer(DeadlineLayer::values(within(100)))
        .concurrency_limit(1)
        .service(Strict::echo().pending_first(2));
    for _ in 0..3 {
        let mut other = service.clone();
        let ready = ServiceExt::<&str>::ready(&mut service).await.unwrap();
        assert_eq!(ready.call("hi").await.unwrap(), "hi");
        let ready = ServiceExt::<&str>::ready(&mut other).await.unwrap();
        assert_eq!(ready.call("ho").await.unwrap(), "ho");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_is_handed_on() {
    let gate = Gate::closed();
    gate.fail_next(1);
    gate.open();
    let inner = Strict::echo().gate(&gate);
    let mut service = DeadlineLayer::values(within(100)).layer(inner);
    assert!(ServiceExt::<&str>::ready(&mut service).await.is_err());
    assert!(ServiceExt::<&str>::ready(&mut service).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn whatever_is_dropped_wherever_gives_everything_back() {
    let permits = Arc::new(Semaphore::new(1));
    let steps = HttpScript::new([Step::grpc("hello").after(ms(50))]);
    let (inner, gauge) = Counting::new(Strict::around(steps).permits(Arc::clone(&permits)));
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let call = || async {
        let response = service.clone().oneshot(grpc()).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let bytes = drop_at_every_await_then(call, |_| {
        gauge.assert_idle();
        assert_eq!(permits.available_permits(), 1);
    })
    .await;
    assert_eq!(&bytes[5..], b"hello");
}

#[test]
fn a_layer_is_made_and_applied_without_a_runtime() {
    let layer = DeadlineLayer::client(within(100));
    let service = layer.layer(HttpScript::new([Step::never()]));
    assert!(format!("{layer:?} {service:?}").contains("100ms"));
}

#[test]
fn everything_goes_where_a_stack_needs_it() {
    const fn assert_unpin<T: Unpin>(_: &T) {}

    assert_clone::<WithDeadline<Strict<()>>>();
    assert_send::<WithDeadline<Strict<()>>>();
    assert_sync::<WithDeadline<Strict<()>>>();
    assert_sync::<DeadlineLayer>();
    assert_send::<ResponseFuture<std::future::Ready<()>, Http>>();
    assert_send::<Scope<std::future::Ready<()>>>();
    let body = Body::<Full<bytes::Bytes>>::default();
    assert_unpin(&body);
    assert_send_value(&body);
}

#[test]
fn a_call_can_be_spawned() {
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::client(within(100)))
        .layer(DeadlineLayer::server())
        .service(Strict::around(HttpScript::new([Step::never()])));
    assert_send_value(&async move {
        let response = service.oneshot(grpc()).await.unwrap();
        response.into_body().collect().await.unwrap();
    });
}
