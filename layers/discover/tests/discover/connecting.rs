//! Connectors that take their time, fail, or are not ready.

use crate::support::{Fake, Log, all, at, events, one, put, remove, scripted, told, watch};
use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::oneshot, time::advance};
use tower::Service;
use tower_test::mock;
use ziggurat_core::{Backoff, BoxError, Instance};
use ziggurat_testkit::{BoxFuture, Counting, Strict};

type Mock = mock::Mock<Instance, Fake>;
type Handle = mock::Handle<Instance, Fake>;

fn mocked() -> (Mock, Handle) {
    let (connector, mut handle) = mock::pair();
    handle.allow(100);
    (connector, handle)
}

/// The next connector call, which must be there.
fn asked(handle: &mut Handle) -> (Instance, mock::SendResponse<Fake>) {
    let mut next = tokio_test::task::spawn(handle.next_request());
    tokio_test::assert_ready!(next.poll()).unwrap()
}

fn is_silent(handle: &mut Handle) -> bool {
    let mut next = tokio_test::task::spawn(handle.next_request());
    next.poll().is_pending()
}

fn even() -> Backoff {
    let second = Duration::from_secs(1);
    let backoff = Backoff::new(second, 2.0, 60 * second).unwrap();
    backoff.jitter(0.0).unwrap()
}

#[tokio::test(start_paused = true)]
async fn connectors_run_at_once_and_who_is_first_is_told_first() {
    let (say, layer) = scripted();
    let (connector, mut handle) = mocked();
    let mut endpoints = watch(&layer, connector);
    say.send(all([one(1), one(2)])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    let (first, answer_first) = asked(&mut handle);
    let (second, answer_second) = asked(&mut handle);
    answer_second.send_response(Fake::of(&second));
    assert!(endpoints.is_woken());
    assert_eq!(told(&mut endpoints), ["+i02:3"]);
    answer_first.send_response(Fake::of(&first));
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_is_not_ready_is_not_called() {
    let (say, layer) = scripted();
    let (connector, mut handle) = mock::pair::<Instance, Fake>();
    handle.allow(0);
    let mut endpoints = watch(&layer, connector);
    say.send(all([one(1), one(2)])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    assert!(is_silent(&mut handle));
    handle.allow(1);
    assert!(endpoints.is_woken());
    assert!(told(&mut endpoints).is_empty());
    let (instance, _answer) = asked(&mut handle);
    assert_eq!(&instance, &one(1));
    assert!(is_silent(&mut handle));
}

#[tokio::test(start_paused = true)]
async fn the_connector_that_was_polled_is_the_one_that_is_called() {
    let (say, layer) = scripted();
    let strict =
        Strict::new(|instance: Instance| async move { Ok::<_, BoxError>(Fake::of(&instance)) });
    let (connector, gauge) = Counting::new(strict);
    let mut endpoints = watch(&layer, connector);
    say.send(all((0..20).map(one))).unwrap();
    assert_eq!(told(&mut endpoints).len(), 20);
    assert_eq!(gauge.finished(), 20);
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_while_it_is_connected_is_cancelled() {
    let (say, layer) = scripted();
    let (connector, mut handle) = mocked();
    let (inner, gauge) = Counting::new(connector);
    let mut endpoints = watch(&layer, inner);
    say.send(all([one(1), one(2)])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    let (instance, answer) = asked(&mut handle);
    say.send(remove(1)).unwrap();
    assert!(told(&mut endpoints).is_empty());
    assert_eq!(gauge.dropped(), 1);
    answer.send_response(Fake::of(&instance));
    assert!(told(&mut endpoints).is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_that_changes_while_it_is_connected_is_connected_where_it_is_now() {
    let (say, layer) = scripted();
    let (connector, mut handle) = mocked();
    let mut endpoints = watch(&layer, connector);
    say.send(all([one(1)])).unwrap();
    assert!(told(&mut endpoints).is_empty());
    let (stale, answer_stale) = asked(&mut handle);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    answer_stale.send_response(Fake::of(&stale));
    assert!(told(&mut endpoints).is_empty());
    let (instance, answer) = asked(&mut handle);
    answer.send_response(Fake::of(&instance));
    assert_eq!(told(&mut endpoints), ["+i01:50"]);
}

#[tokio::test(start_paused = true)]
async fn one_that_changes_and_changes_back_keeps_its_endpoint() {
    let (say, layer) = scripted();
    let (connector, mut handle) = mocked();
    let mut endpoints = watch(&layer, connector);
    say.send(all([one(1)])).unwrap();
    told(&mut endpoints);
    let (instance, answer) = asked(&mut handle);
    answer.send_response(Fake::of(&instance));
    assert_eq!(events(&mut endpoints).len(), 1);
    say.send(put(at(1, 50))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    let (elsewhere, answer) = asked(&mut handle);
    say.send(put(one(1))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    answer.send_response(Fake::of(&elsewhere));
    assert!(told(&mut endpoints).is_empty());
    assert!(is_silent(&mut handle));
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_fails_is_asked_again_less_and_less() {
    let (say, layer) = scripted();
    let layer = layer.backoff(even());
    let (connector, mut handle) = mocked();
    let mut endpoints = watch(&layer, connector);
    say.send(all([one(1), one(2)])).unwrap();
    for pause in [1, 2, 4] {
        assert!(told(&mut endpoints).is_empty());
        let (_, answer) = asked(&mut handle);
        answer.send_error("no way");
        if pause == 1 {
            let (other, answer) = asked(&mut handle);
            answer.send_response(Fake::of(&other));
            assert_eq!(
                told(&mut endpoints),
                ["+i02:3"],
                "one failure is one endpoint's"
            );
        }
        assert!(told(&mut endpoints).is_empty());
        advance(Duration::from_millis(pause * 1_000 - 10)).await;
        assert!(told(&mut endpoints).is_empty());
        assert!(is_silent(&mut handle));
        advance(Duration::from_millis(20)).await;
        assert!(endpoints.is_woken());
    }
    assert!(told(&mut endpoints).is_empty());
    let (instance, answer) = asked(&mut handle);
    answer.send_response(Fake::of(&instance));
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
}

/// Fails its readiness so many times.
#[derive(Clone, Default)]
struct Moody {
    failures: Arc<Mutex<usize>>,
    log: Log,
}

impl Service<Instance> for Moody {
    type Response = Fake;
    type Error = BoxError;
    type Future = <Log as Service<Instance>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Poll::Ready(Err("moody".into()));
        }
        self.log.poll_ready(cx)
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        self.log.call(instance)
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_whose_readiness_fails_is_asked_again() {
    let (say, layer) = scripted();
    let layer = layer.backoff(even());
    let moody = Moody::default();
    *moody.failures.lock().unwrap() = 1;
    let mut endpoints = watch(&layer, moody);
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(told(&mut endpoints), ["+i02:3"]);
    advance(Duration::from_secs(1)).await;
    assert_eq!(told(&mut endpoints), ["+i01:2"]);
}

/// Never answers; counts how many it is at, and tells when one is dropped.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<oneshot::Receiver<()>>>>);

impl Service<Instance> for Slow {
    type Response = Fake;
    type Error = BoxError;
    type Future = BoxFuture<Result<Fake, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        let (alive, dropped) = oneshot::channel();
        self.0.lock().unwrap().push(dropped);
        Box::pin(async move {
            let _alive: oneshot::Sender<()> = alive;
            std::future::pending::<()>().await;
            Ok(Fake::of(&instance))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_cancels_all_that_it_began() {
    let (say, layer) = scripted();
    let layer = layer.whole();
    let slow = Slow::default();
    let mut endpoints = watch(&layer, slow.clone());
    say.send(all((0..99).map(one))).unwrap();
    assert!(told(&mut endpoints).is_empty());
    assert_eq!(slow.0.lock().unwrap().len(), 64, "no more at once");
    drop(endpoints);
    assert!(say.is_closed());
    for mut dropped in slow.0.lock().unwrap().drain(..) {
        let closed = dropped.try_recv().unwrap_err();
        assert_eq!(closed, oneshot::error::TryRecvError::Closed);
    }
}
