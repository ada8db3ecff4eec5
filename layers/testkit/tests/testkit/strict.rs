//! `Strict` panics when it is misused, and only then.

use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Service, ServiceExt};
use ziggurat_testkit::{
    BoxError, Gate, Scripted, Step, Strict, assert_clone, assert_send, assert_sync,
};

const SECOND: Duration = Duration::from_secs(1);

/// Polls the readiness of a service once, by hand.
macro_rules! poll_ready {
    ($service:expr) => {
        task::spawn(()).enter(|cx, _| Service::<u32>::poll_ready(&mut $service, cx))
    };
}

#[tokio::test]
async fn a_service_that_was_polled_answers() {
    let mut service = Strict::new(|n: u32| async move { Ok::<_, BoxError>(n + 1) });
    for n in 0..3 {
        assert_eq!(service.ready().await.unwrap().call(n).await.unwrap(), n + 1);
    }
}

#[test]
#[should_panic(expected = "it was never polled")]
fn a_call_without_a_poll_fails_the_test() {
    drop(Strict::echo().call(1));
}

#[test]
#[should_panic(expected = "not polled again since its last call")]
fn one_poll_is_good_for_one_call() {
    let mut service = Strict::echo();
    assert_ready_ok!(poll_ready!(service));
    drop(service.call(1));
    drop(service.call(2));
}

#[test]
#[should_panic(expected = "a clone starts unready")]
fn a_clone_of_a_ready_service_is_not_ready() {
    let mut service = Strict::echo();
    assert_ready_ok!(poll_ready!(service));
    let mut clone = service.clone();
    assert_ready_ok!(poll_ready!(service));
    drop(clone.call(1));
}

#[test]
#[should_panic(expected = "its last poll_ready() was Pending")]
fn readiness_that_was_lost_again_does_not_count() {
    let gate = Gate::default();
    let mut service = Strict::echo().gate(&gate);
    assert_ready_ok!(poll_ready!(service));
    gate.close();
    assert_pending!(poll_ready!(service));
    drop(service.call(1));
}

#[test]
#[should_panic(expected = "its last poll_ready() failed")]
fn a_failed_poll_does_not_make_ready() {
    let gate = Gate::default();
    gate.fail_next(1);
    let mut service = Strict::echo().gate(&gate);
    assert_ready_err!(poll_ready!(service));
    drop(service.call(1));
}

#[tokio::test]
async fn a_closed_gate_wakes_who_waits_when_it_opens() {
    let gate = Gate::closed();
    let mut service = Strict::echo().gate(&gate);
    let mut ready = task::spawn(ServiceExt::<u32>::ready(&mut service));
    assert_pending!(ready.poll());
    gate.open();
    assert!(ready.is_woken());
    assert_ready_ok!(ready.poll());
    assert_eq!(gate.polls(), 2);
}

#[tokio::test]
async fn every_instance_is_pending_at_first_and_wakes_itself() {
    let mut service = Strict::echo().pending_first(2);
    for _ in 0..2 {
        assert_pending!(poll_ready!(service));
    }
    assert_ready_ok!(poll_ready!(service));
    assert_pending!(poll_ready!(service.clone()));
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_poll_ready_reserved_comes_back_with_the_service_or_with_the_call() {
    let permits = Arc::new(Semaphore::new(1));
    let slow = Strict::new(|n: u32| async move {
        tokio::time::sleep(SECOND).await;
        Ok::<_, BoxError>(n)
    })
    .permits(Arc::clone(&permits));

    let mut ready = slow.clone();
    assert_ready_ok!(poll_ready!(ready));
    assert_eq!(permits.available_permits(), 0);
    assert_pending!(poll_ready!(slow.clone()));
    drop(ready);
    assert_eq!(permits.available_permits(), 1, "dropped while ready");

    let mut service = slow.clone();
    assert_ready_ok!(poll_ready!(service));
    let call = service.call(1);
    assert_eq!(permits.available_permits(), 0);
    drop(call);
    assert_eq!(permits.available_permits(), 1, "dropped while under way");

    let mut call = pin!(slow.clone().ready().await.unwrap().call(2));
    assert_eq!(call.as_mut().await.unwrap(), 2);
    assert_eq!(permits.available_permits(), 1, "answered");
}

#[tokio::test]
async fn an_inner_service_keeps_its_readiness_and_its_errors() {
    let script = ziggurat_testkit::Script::<u32, u32>::new([Step::fail_with("no")]);
    let error = Strict::around(Strict::around(script))
        .oneshot(1)
        .await
        .unwrap_err();
    assert_eq!(error.downcast_ref::<Scripted>().unwrap().to_string(), "no");
}

#[test]
fn it_goes_wherever_a_layer_may_take_it() {
    type Service = Strict<ziggurat_testkit::strict::Echo>;
    assert_send::<Service>();
    assert_sync::<Service>();
    assert_clone::<Service>();
}
