//! The contract that every layer keeps.

use super::{Told, limited, request};
use http::Response;
use http_body_util::{BodyExt, Empty, Full};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_answer::{Answer, AnswerLayer, Body, ResponseFuture};
use ziggurat_core::BoxError;
use ziggurat_testkit::{
    Counting, Gate, HttpScript, Step, Strict, assert_clone, assert_send, assert_send_value,
    assert_sync, drop_at_every_await_then,
};

type Call = http::Request<Empty<bytes::Bytes>>;

fn infallible<S, Req>(_: &S)
where
    S: Service<Req> + Clone + Send + Sync + 'static,
    S::Error: Into<Infallible>,
    S::Future: Send,
{
}

#[tokio::test]
async fn calls_the_instance_that_was_polled() {
    let mut service = ServiceBuilder::new()
        .layer(AnswerLayer::new())
        .concurrency_limit(1)
        .service(Strict::around(HttpScript::new([Step::grpc("hello")])).pending_first(1));
    for _ in 0..3 {
        let ready = ServiceExt::<Call>::ready(&mut service).await.unwrap();
        let response = ready.call(request("application/grpc")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn failed_readiness_is_answered_by_the_next_call_and_then_forgotten() {
    let told = Told::default();
    let gate = Gate::closed();
    gate.fail_next(1);
    let inner = Strict::around(HttpScript::new([Step::grpc("hello")])).gate(&gate);
    let mut service = AnswerLayer::new().observe_with(told.clone()).layer(inner);

    ServiceExt::<Call>::ready(&mut service).await.unwrap();
    // Asked again before the call, it is as ready as it was.
    ServiceExt::<Call>::ready(&mut service).await.unwrap();
    let clone = service.clone();
    let call = service.call(request("application/grpc"));
    assert_eq!(call.await.unwrap().headers()["grpc-status"], "13");
    assert_eq!(told.lines().len(), 1);

    gate.open();
    for service in [service, clone] {
        let response = service.oneshot(request("application/grpc")).await.unwrap();
        assert!(!response.headers().contains_key("grpc-status"));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_dropped_wherever_gives_everything_back() {
    let permits = Arc::new(Semaphore::new(1));
    let delay = std::time::Duration::from_millis(5);
    let script = HttpScript::new([
        Step::grpc("hello").after(delay),
        Step::fail(limited()).after(delay),
    ]);
    let (inner, gauge) = Counting::new(Strict::around(script).permits(Arc::clone(&permits)));
    let service = AnswerLayer::new().layer(inner);
    let call = || async {
        let call = request("application/grpc");
        let response = service.clone().oneshot(call).await.unwrap();
        response.into_body().collect().await.unwrap()
    };
    drop_at_every_await_then(call, |_| {
        gauge.assert_idle();
        assert_eq!(permits.available_permits(), 1);
    })
    .await;
}

#[test]
fn everything_goes_where_a_stack_needs_it() {
    const fn assert_unpin<T: Unpin>(_: &T) {}

    assert_clone::<Answer<Strict<()>>>();
    assert_sync::<Answer<Strict<()>>>();
    assert_sync::<AnswerLayer>();
    assert_send::<ResponseFuture<std::future::Ready<Result<Response<()>, BoxError>>>>();
    let body = Body::<Full<bytes::Bytes>>::default();
    assert_unpin(&body);
    assert_send_value(&body);

    let service = AnswerLayer::new().layer(Strict::around(HttpScript::new([Step::never()])));
    infallible::<_, Call>(&service);
    assert!(format!("{service:?}").contains("Answer"));
}

#[test]
fn a_call_can_be_spawned() {
    let service = ServiceBuilder::new()
        .layer(AnswerLayer::new())
        .layer(AnswerLayer::new())
        .service(Strict::around(HttpScript::new([Step::never()])));
    assert_send_value(&async move {
        let response = service.oneshot(request("text/plain")).await.unwrap();
        response.into_body().collect().await.unwrap();
    });
}
