//! The contract that every layer keeps.

use super::{
    MINUTE,
    backend::{Backend, is_open, layer, open_up},
    five_for_a_minute,
};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{sync::Semaphore, time};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_breaker::State;
use ziggurat_core::{BoxError, Code, Rejection, Sent, Unready, error};
use ziggurat_testkit::{Gate, Script, Scripted, Step, Strict, tonic};

#[tokio::test(start_paused = true)]
async fn one_layer_is_one_circuit_and_an_isolated_one_another() {
    let backend = Backend::default();
    backend.breaks(true);
    let layer = layer(five_for_a_minute());
    let one = layer.layer(backend.service().0);
    let two = layer.clone().layer(backend.service().0);
    let other = layer.isolated().layer(backend.service().0);
    open_up(&one, &layer.handle()).await;
    assert!(is_open(&two.oneshot(1).await));
    assert!(!is_open(&other.oneshot(1).await));
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_nothing_in_any_state() {
    let permits = Arc::new(Semaphore::new(1));
    let layer = layer(five_for_a_minute());
    let service = layer.layer(Strict::echo().permits(Arc::clone(&permits)));
    for state in [State::Closed, State::ForcedOpen] {
        if state == State::ForcedOpen {
            layer.handle().force_open();
        }
        assert_eq!(layer.handle().state(), state);
        for _ in 0..10_000 {
            let mut service = service.clone();
            ServiceExt::<u32>::ready(&mut service).await.unwrap();
        }
        assert_eq!(permits.available_permits(), 1);
    }
    layer.handle().reset();
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_no_probe() {
    let backend = Backend::default();
    backend.breaks(true);
    let service = layer(five_for_a_minute()).layer(backend.service().0);
    open_up(&service, &service.handle()).await;
    backend.breaks(false);
    time::advance(MINUTE).await;
    for _ in 0..10_000 {
        let mut service = service.clone();
        service.ready().await.unwrap();
    }
    assert_eq!(service.oneshot(1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_as_ready_as_its_inner_service_and_is_not_polled_for_it() {
    let (layer, gate) = (layer(five_for_a_minute()), Gate::default());
    let mut service = task::spawn(layer.layer(Strict::echo().gate(&gate)));
    layer.handle().force_open();
    assert_ready_ok!(
        service.enter(|cx, mut service| Service::<u32>::poll_ready(&mut *service, cx))
    );
    gate.close();
    let polls = gate.polls();
    assert_pending!(service.enter(|cx, mut service| Service::<u32>::poll_ready(&mut *service, cx)));
    time::advance(MINUTE).await;
    assert!(!service.is_woken());
    assert_eq!(gate.polls(), polls + 1);
}

#[tokio::test(start_paused = true)]
async fn an_inner_error_comes_out_as_it_is() {
    let service = layer(five_for_a_minute()).layer(Script::new([Step::<u32>::fail_with("boom")]));
    let error = service.oneshot(1_u32).await.unwrap_err();
    assert!(error.is::<Scripted>());
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_inside_and_outside_other_layers() {
    let service = ServiceBuilder::new()
        .buffer(4)
        .concurrency_limit(1)
        .layer(layer(five_for_a_minute()))
        .concurrency_limit(1)
        .service(Strict::echo().pending_first(1));
    for call in 0..30_u32 {
        assert_eq!(service.clone().oneshot(call).await.unwrap(), call);
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_whose_readiness_fails_is_told_by_the_next_call_and_counts() {
    let (layer, gate) = (layer(five_for_a_minute()), Gate::default());
    let service = layer.layer(Strict::echo().gate(&gate));
    for call in 1..=5_u32 {
        assert_eq!(layer.handle().state(), State::Closed);
        gate.fail_next(1);
        // Strict panics if a service that is not ready is called.
        let error = service.clone().oneshot(call).await.unwrap_err();
        let unready = error::find::<Unready>(&*error).unwrap();
        assert_eq!(unready.cause().to_string(), "poll_ready was told to fail");
        let rejection = error::find::<Rejection>(&*error).unwrap();
        assert_eq!(
            (rejection.sent(), rejection.is_decision()),
            (Sent::Never, false)
        );
        let status = tonic::Status::from_error(error);
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert_eq!(
            status.message(),
            "service not ready: poll_ready was told to fail"
        );
    }
    assert_eq!(layer.handle().state(), State::Open);
    gate.fail_next(1);
    assert!(is_open(&service.clone().oneshot(6).await));
    layer.handle().reset();
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn readiness_that_failed_is_told_once_and_not_by_a_clone() {
    let gate = Gate::default();
    let mut service = layer(five_for_a_minute()).layer(Strict::echo().gate(&gate));
    gate.fail_next(1);
    for _ in 0..2 {
        ServiceExt::<u32>::ready(&mut service).await.unwrap();
    }
    assert_eq!(gate.polls(), 1, "what failed is not asked again");
    assert_eq!(service.clone().oneshot(1).await.unwrap(), 1);
    assert!(service.call(2).await.is_err());
    assert_eq!(service.oneshot(3_u32).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn readiness_that_fails_with_a_code_keeps_it() {
    let (layer, gate) = (layer(five_for_a_minute()), Gate::default());
    let mut service = layer.layer(Picky(gate.clone()));
    gate.fail_next(1);
    let error = service.ready().await.unwrap().call(1).await.unwrap_err();
    assert!(error.is::<Rejection>());
    assert_eq!(error::code(&*error), Some(Code::ResourceExhausted));
}

/// Says by a code that it is not ready.
struct Picky(Gate);

impl Service<u32> for Picky {
    type Response = u32;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u32, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut gated = Strict::echo().gate(&self.0);
        let busy = |_| Rejection::decided(Code::ResourceExhausted, "busy").into();
        Service::<u32>::poll_ready(&mut gated, cx).map_err(busy)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        std::future::ready(Ok(request))
    }
}
