//! The contract that every layer keeps.

use super::{
    MINUTE,
    backend::{Backend, is_open, layer, open_up},
    five_for_a_minute,
};
use std::sync::Arc;
use tokio::{sync::Semaphore, time};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_breaker::State;
use ziggurat_testkit::{Gate, Script, Scripted, Step, Strict};

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
