//! The contract that every layer keeps.

use super::{Call, grpc, ms};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower::{Layer, ServiceBuilder};
use ziggurat_fault::{Abort, Body, FaultLayer, Faults, Faulty, ResponseFuture};
use ziggurat_testkit::{
    Counting, HttpScript, Step, Strict, assert_clone, assert_send, assert_send_value, assert_sync,
    drop_at_every_await_then, exercise,
};

fn half() -> FaultLayer {
    let faults = Faults::new()
        .abort(Abort::lost(), 0.5)
        .and_then(|faults| faults.delay(ms(1), 0.5))
        .unwrap();
    FaultLayer::new(faults).seed(11)
}

#[tokio::test(start_paused = true)]
async fn calls_the_instance_that_was_polled_and_reserves_nothing() {
    let inner = Strict::around(HttpScript::new([Step::grpc("hello")])).pending_first(1);
    let service = ServiceBuilder::new()
        .layer(half())
        .concurrency_limit(1)
        .service(inner);
    exercise(&service, grpc).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_is_dropped_wherever_gives_everything_back() {
    let permits = Arc::new(Semaphore::new(1));
    let script = HttpScript::new([Step::grpc("hello").after(ms(5))]);
    let (inner, gauge) = Counting::new(Strict::around(script).permits(Arc::clone(&permits)));
    let faults = Faults::new()
        .delay(ms(5), 1.0)
        .and_then(|faults| faults.bandwidth(100, 1.0))
        .unwrap();
    let layer = FaultLayer::new(faults);
    let service = layer.layer(inner);
    let call = || async {
        let response = tower::ServiceExt::oneshot(service.clone(), grpc()).await;
        response.unwrap().into_body().collect().await.unwrap()
    };
    drop_at_every_await_then(call, |_| {
        gauge.assert_idle();
        assert_eq!(permits.available_permits(), 1);
        assert_eq!(layer.active(), 0);
    })
    .await;
}

#[test]
fn everything_goes_where_a_stack_needs_it() {
    const fn assert_unpin<T: Unpin>(_: &T) {}

    assert_clone::<Faulty<Strict<HttpScript>>>();
    assert_sync::<Faulty<Strict<HttpScript>>>();
    assert_sync::<FaultLayer>();
    assert_send::<ResponseFuture<HttpScript, Call>>();
    let body = Body::<Full<Bytes>>::default();
    assert_unpin(&body);
    assert_send_value(&body);
    let service = half().layer(Strict::around(HttpScript::new([Step::never()])));
    assert!(format!("{service:?}").contains("Faulty"));
}

/// No runtime is needed, and no clock is read, before a call is polled.
#[test]
fn a_layer_a_service_and_a_call_are_made_outside_of_a_runtime() {
    let mut service = half().layer(HttpScript::new([Step::grpc("hello")]));
    drop(tower::Service::call(&mut service, grpc()));
}
