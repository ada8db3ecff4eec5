//! What every layer keeps: readiness, clones, cancellation, bounds.

use crate::kit::*;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_core::{Grpc, Rejection, Sent};
use ziggurat_retry::{
    Budget, Permit, ReplayBody, Retry, RetryLayer, Settings,
    chain::{self, WithChain},
};
use ziggurat_testkit::{
    Counting, Gate, HttpScript, Script, Step, Strict, assert_clone, assert_send, assert_sync,
    drop_at_every_await_then,
    tonic::{self, Code},
};

fn failing_twice() -> HttpScript {
    let down = Step::trailers_only(Code::Unavailable);
    HttpScript::by(move |number, _| match number % 3 {
        2 => Step::grpc("fine").after(MS),
        _ => down.clone().after(MS),
    })
}

#[tokio::test(start_paused = true)]
async fn every_attempt_goes_to_an_instance_that_was_ready() {
    let permits = Arc::new(Semaphore::new(2));
    let inner = failing_twice();
    let strict = Strict::around(inner.clone())
        .permits(Arc::clone(&permits))
        .pending_first(2);
    let mut service = RetryLayer::new(settings()).layer(strict);
    for round in 1..=3 {
        let ready = ready(&mut service).await;
        // A clone in between takes nothing from the one that is ready.
        let clone = ready.clone();
        ready.call(post()).await.unwrap();
        assert_eq!(inner.calls(), round * 6 - 3);
        clone.oneshot(post()).await.unwrap();
    }
    drop(service);
    assert_eq!(permits.available_permits(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_clones_may_call_at_once() {
    let strict = Strict::around(failing_twice()).pending_first(1);
    let service = RetryLayer::new(settings()).layer(strict);
    let (one, other) = tokio::join!(
        service.clone().oneshot(post()),
        service.clone().oneshot(post())
    );
    one.unwrap();
    other.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_by_being_ready() {
    let permits = Arc::new(Semaphore::new(1));
    let strict = Strict::around(failing_twice()).permits(Arc::clone(&permits));
    let service = RetryLayer::new(settings()).layer(strict);
    for _ in 0..100 {
        let mut clone = service.clone();
        ServiceExt::<Call>::ready(&mut clone).await.unwrap();
    }
    assert_eq!(permits.available_permits(), 1);
    service.oneshot(post()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_to_be_ready_fails_the_call_and_poisons_nobody() {
    let gate = Gate::default();
    let strict = Strict::around(HttpScript::new([Step::grpc("fine")])).gate(&gate);
    let layer = RetryLayer::new(settings());
    let mut service = ServiceBuilder::new().buffer(8).layer(layer).service(strict);
    gate.fail_next(1);
    ready(&mut service).await;
    let error = service.call(post()).await.unwrap_err();
    assert!(error.to_string().contains("told to fail"), "{error}");
    ready(&mut service).await.call(post()).await.unwrap();
    // One that may be made twice is made twice.
    gate.fail_next(1);
    ready(&mut service).await.call(idempotent()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_gets_stuck_between_two_attempts_gives_the_last_answer_in_time() {
    let gate = Gate::default();
    let inner = script([Step::trailers_only(Code::Unavailable)]);
    let strict = Strict::around(inner.clone()).gate(&gate);
    let mut service = RetryLayer::new(settings()).layer(strict);
    ready(&mut service).await;
    gate.close();
    let options = ziggurat_core::CallOptions::new().timeout(400 * MS);
    let began = tokio::time::Instant::now();
    let response = service.call(with(post(), options)).await.unwrap();
    assert_eq!((status(&response), inner.calls()), ("14", 1));
    assert_eq!(began.elapsed(), 400 * MS);
    assert!(gate.polls() <= 4, "{}", gate.polls());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_ready_too_late_is_not_called_again() {
    for enforced in [true, false] {
        let gate = Gate::default();
        let inner = script([Step::trailers_only(Code::Unavailable)]);
        let strict = Strict::around(inner.clone()).gate(&gate);
        let notes = Notes::default();
        let settings = settings().enforce_deadline(enforced);
        let layer = RetryLayer::new(settings).observe_with(notes.clone());
        let mut service = layer.layer(strict);
        ready(&mut service).await;
        gate.close();
        let options = ziggurat_core::CallOptions::new().timeout(400 * MS);
        let call = service.call(with(post(), options));
        // Made first: at the deadline itself the gate opens before the call's own timer goes off.
        let opens = async {
            tokio::time::sleep(400 * MS).await;
            gate.open();
        };
        let (response, ()) = tokio::join!(call, opens);
        assert_eq!((status(&response.unwrap()), inner.calls()), ("14", 1));
        assert_eq!(notes.take().pop().unwrap(), "out of time");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_anywhere_everything_comes_back() {
    let permits = Arc::new(Semaphore::new(1));
    let (counting, gauge) = Counting::new(failing_twice());
    let strict = Strict::around(counting)
        .permits(Arc::clone(&permits))
        .pending_first(1);
    let service = RetryLayer::new(settings()).layer(strict);
    let clones = gauge.clones();
    let call = || service.clone().oneshot(post());
    let last = drop_at_every_await_then(call, |polls| {
        gauge.assert_idle();
        assert_eq!(permits.available_permits(), 1, "after {polls} polls");
        assert_eq!(gauge.clones(), clones, "after {polls} polls");
    });
    last.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_was_not_made_is_paid_back() {
    let down = || script([Step::trailers_only(Code::Unavailable)]);
    let ten = settings().budget(0.0, 1).unwrap();
    let notes = Notes::default();
    let layer = RetryLayer::new(ten).observe_with(notes.clone());
    for _ in 0..100 {
        let mut call = tokio_test::task::spawn(layer.layer(down()).oneshot(post()));
        // It has failed, and waits to try again.
        while notes.take().is_empty() {
            assert!(call.poll().is_pending());
        }
    }
    let inner = down();
    layer.layer(inner.clone()).oneshot(post()).await.unwrap();
    assert_eq!(inner.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_around_it_changes_nothing() {
    let inner = failing_twice();
    let service = ServiceBuilder::new()
        .buffer(4)
        .layer(RetryLayer::new(settings()))
        .service(inner.clone());
    let calls = (0..3).map(|_| service.clone().oneshot(post()));
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(inner.calls(), 9);
}

#[tokio::test(start_paused = true)]
async fn many_refused_calls_do_not_spin() {
    let gate = Gate::default();
    let refused = Rejection::undelivered("refused", Sent::Never);
    let strict = Strict::around(HttpScript::new([Step::fail(refused)])).gate(&gate);
    let layer = RetryLayer::new(Settings::new());
    let options = ziggurat_core::CallOptions::new().timeout(1_000 * MS);
    let (result, took) = timed(layer.layer(strict), with(post(), options)).await;
    result.unwrap_err();
    assert!(gate.polls() <= 10, "{}", gate.polls());
    assert!(took < 1_000 * MS);
}

#[tokio::test]
async fn nothing_needs_a_runtime_before_the_first_call() {
    let made = std::thread::spawn(|| {
        let layer = RetryLayer::new(settings()).isolated();
        let _debug = format!("{layer:?}");
        let inner = HttpScript::new([Step::grpc("fine")]);
        Layer::<HttpScript>::layer(&layer, inner)
    });
    made.join().unwrap().oneshot(post()).await.unwrap();
}

#[test]
fn everything_may_go_anywhere() {
    type Service_ = Retry<HttpScript, Grpc>;
    type Future_ = <Service_ as Service<Call>>::Future;
    type Values = Retry<Script<String, String>, ziggurat_core::ByResult>;
    const fn assert_static<T: 'static>() {}
    const fn assert_unpin<T: Unpin + Default>() {}
    assert_send::<Service_>();
    assert_sync::<Service_>();
    assert_clone::<Service_>();
    assert_static::<Service_>();
    assert_send::<Future_>();
    assert_send::<<Values as Service<String>>::Future>();
    assert_send::<ReplayBody<tonic::body::Body>>();
    assert_unpin::<ReplayBody<tonic::body::Body>>();
    assert_clone::<RetryLayer>();
    assert_sync::<RetryLayer>();
    assert_send::<Request<ReplayBody<Full<Bytes>>>>();
    type Chained = WithChain<HttpScript>;
    assert_send::<Chained>();
    assert_sync::<Chained>();
    assert_clone::<Chained>();
    assert_send::<<Chained as Service<Call>>::Future>();
    assert_unpin::<chain::Body<tonic::body::Body>>();
    assert_sync::<Budget>();
    assert_send::<Permit>();
}

#[tokio::test(start_paused = true)]
async fn the_layer_of_a_server_keeps_the_contract_too() {
    let permits = Arc::new(Semaphore::new(1));
    let (counting, gauge) = Counting::new(HttpScript::by(|_, _| Step::grpc("fine").after(MS)));
    let strict = Strict::around(counting).permits(Arc::clone(&permits));
    let service = chain::ChainLayer::new().layer(strict.pending_first(1));
    let call = || service.clone().oneshot(post());
    let last = drop_at_every_await_then(call, |polls| {
        gauge.assert_idle();
        assert_eq!(permits.available_permits(), 1, "after {polls} polls");
    });
    last.await.unwrap();
}
