//! The contract that every layer keeps.

use super::{Call, grpc};
use http_body_util::{BodyExt, Full};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_testkit::{
    Counting, HttpScript, Scripted, Step, Strict, assert_clone, assert_send, assert_send_value,
    assert_sync, drop_at_every_await_then,
};
use ziggurat_trace::{Body, ResponseFuture, Scope, Trace, TraceLayer};

fn layers() -> [TraceLayer; 3] {
    [
        TraceLayer::server(),
        TraceLayer::client(),
        TraceLayer::attempt(),
    ]
}

#[tokio::test]
async fn calls_the_instance_that_was_polled() {
    for layer in layers() {
        let inner = Strict::around(HttpScript::new([Step::grpc("hello")]));
        let mut service = ServiceBuilder::new()
            .layer(layer)
            .concurrency_limit(1)
            .service(inner.pending_first(1));
        for _ in 0..3 {
            let ready = ServiceExt::<Call>::ready(&mut service).await.unwrap();
            ready.call(grpc()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_error_is_handed_on_as_it_is() {
    for layer in layers() {
        let service = layer.layer(HttpScript::new([Step::fail_with("boom")]));
        assert!(service.oneshot(grpc()).await.unwrap_err().is::<Scripted>());
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_dropped_wherever_gives_everything_back() {
    for layer in layers() {
        let permits = Arc::new(Semaphore::new(1));
        let steps = HttpScript::new([Step::grpc("hello").after(Duration::from_millis(5))]);
        let (inner, gauge) = Counting::new(Strict::around(steps).permits(Arc::clone(&permits)));
        let service = layer.layer(inner);
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
}

#[test]
fn everything_goes_where_a_stack_needs_it() {
    const fn assert_unpin<T: Unpin>(_: &T) {}

    assert_clone::<Trace<Strict<()>>>();
    assert_sync::<Trace<Strict<()>>>();
    assert_sync::<TraceLayer>();
    assert_send::<ResponseFuture<std::future::Ready<()>>>();
    assert_send::<Scope<std::future::Ready<()>>>();
    let body = Body::<Full<bytes::Bytes>>::default();
    assert_unpin(&body);
    assert_send_value(&body);
    for layer in layers() {
        let service = layer.layer(HttpScript::new([Step::never()]));
        assert!(format!("{layer:?} {service:?}").contains("Trace"));
    }
}

#[test]
fn a_call_can_be_spawned() {
    for layer in layers() {
        let service = ServiceBuilder::new()
            .layer(layer.clone())
            .layer(layer)
            .service(Strict::around(HttpScript::new([Step::never()])));
        assert_send_value(&async move {
            let response = service.oneshot(grpc()).await.unwrap();
            response.into_body().collect().await.unwrap();
        });
    }
}
