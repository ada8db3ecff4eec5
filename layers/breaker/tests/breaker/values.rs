//! Around services of plain values.

use super::{
    MINUTE, SECOND,
    backend::{Backend, is_open, layer, open_up},
    five_for_a_minute,
};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::time;
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use ziggurat_breaker::{Breaker, Handle, Observer, Open, State};
use ziggurat_core::{Code, Live, Rejection, Sent, error};
use ziggurat_testkit::{Script, Step, Strict, tonic};

#[tokio::test(start_paused = true)]
async fn five_calls_reach_a_broken_service_and_the_sixth_does_not() {
    let backend = Backend::default();
    backend.breaks(true);
    let (inner, gauge) = backend.service();
    let service = layer(five_for_a_minute()).layer(inner);
    for call in 1..=20 {
        let error = service.clone().oneshot(call).await.unwrap_err();
        assert_eq!(error::find::<Open>(&*error).is_some(), call > 5, "{call}");
    }
    assert_eq!(gauge.started(), 5);
    gauge.assert_idle();

    let error = service.clone().oneshot(21).await.unwrap_err();
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::Unavailable);
    assert_eq!(
        (rejection.sent(), rejection.is_decision()),
        (Sent::Never, true)
    );
    assert_eq!(rejection.retry_after(), Some(MINUTE));
    assert_eq!(
        error::find::<Open>(&*error).unwrap().retry_after(),
        Some(MINUTE)
    );
}

#[tokio::test(start_paused = true)]
async fn calls_that_their_callers_drop_count_for_nothing() {
    let service =
        layer(five_for_a_minute()).layer(Strict::new(|_: u32| pending::<Result<u32, _>>()));
    let handle = service.handle();
    for call in 0..1_000 {
        let mut call = task::spawn(service.clone().oneshot(call));
        assert_pending!(call.poll());
    }
    assert_eq!(handle.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn overload_never_opens_it() {
    let busy = Script::new([Step::<u32>::fail(Busy(Rejection::decided(
        Code::ResourceExhausted,
        "busy",
    )))]);
    let service = layer(five_for_a_minute()).layer(busy.clone());
    for call in 0..1_000_u32 {
        assert!(!is_open(&service.clone().oneshot(call).await));
    }
    assert_eq!(busy.calls(), 1_000);
}

#[derive(Clone, Debug)]
struct Busy(Rejection);

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("busy")
    }
}

impl std::error::Error for Busy {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_counts() {
    let hanging = ServiceBuilder::new()
        .layer(layer(five_for_a_minute()))
        .timeout(SECOND)
        .service(Strict::new(|_: u32| pending::<Result<u32, _>>()));
    for call in 1..=6 {
        assert_eq!(is_open(&hanging.clone().oneshot(call).await), call > 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_generated_client_sees_unavailable_through_a_buffer_and_it_works_again() {
    let backend = Backend::default();
    backend.breaks(true);
    let breaker = layer(five_for_a_minute()).layer(backend.service().0);
    let handle = breaker.handle();
    let service = ServiceBuilder::new().buffer(8).service(breaker);
    for call in 0..5 {
        service.clone().oneshot(call).await.unwrap_err();
    }
    let error = service.clone().oneshot(5).await.unwrap_err();
    let status = tonic::Status::from_error(error);
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.message(), "circuit open");
    assert_eq!(
        status.metadata().get("grpc-retry-pushback-ms").unwrap(),
        "60000"
    );

    backend.breaks(false);
    time::advance(MINUTE).await;
    for call in 0..10 {
        assert_eq!(service.clone().oneshot(call).await.unwrap(), call);
    }
    assert_eq!(handle.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn new_settings_are_in_force_and_an_open_circuit_stays_open() {
    let (setter, live) = Live::channel(five_for_a_minute());
    let backend = Backend::default();
    backend.breaks(true);
    let service = layer(live).layer(backend.service().0);
    open_up(&service, &service.handle()).await;
    let quicker = five_for_a_minute().open_for(SECOND).unwrap();
    setter.set(quicker.consecutive_failures(2).unwrap());
    time::advance(SECOND).await;
    assert!(is_open(&service.clone().oneshot(1).await));
    service.handle().reset();
    let open: Vec<_> = [
        is_open(&service.clone().oneshot(2).await),
        is_open(&service.clone().oneshot(3).await),
        is_open(&service.clone().oneshot(4).await),
    ]
    .into();
    assert_eq!(open, [false, false, true]);
}

/// Turns the circuit itself while it is told.
#[derive(Clone, Default)]
struct Diary {
    changes: Arc<Mutex<Vec<(State, State)>>>,
    rejected: Arc<AtomicUsize>,
    cancelled: Arc<AtomicUsize>,
    handle: Arc<Mutex<Option<Handle>>>,
}

impl Observer for Diary {
    fn changed(&self, from: State, to: State) {
        self.changes.lock().unwrap().push((from, to));
        if let Some(handle) = self.handle.lock().unwrap().take() {
            handle.reset();
        }
    }

    fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_every_change_in_order_and_may_turn_the_circuit() {
    let (diary, backend) = (Diary::default(), Backend::default());
    let layer = layer(five_for_a_minute()).observe_with(diary.clone());
    let service: Breaker<_, _> = layer.layer(backend.service().0);
    drop(service.clone().call_after_ready(1).await);
    backend.breaks(true);
    open_up(&service, &layer.handle()).await;
    service.clone().oneshot(2).await.unwrap_err();
    time::advance(MINUTE).await;
    *diary.handle.lock().unwrap() = Some(layer.handle());
    service.clone().oneshot(3).await.unwrap_err();

    let (closed, open, half) = (State::Closed, State::Open, State::HalfOpen);
    let expected = [(closed, open), (open, half), (half, closed)];
    assert_eq!(*diary.changes.lock().unwrap(), expected);
    assert_eq!(diary.rejected.load(Ordering::Relaxed), 1);
    assert_eq!(diary.cancelled.load(Ordering::Relaxed), 1);
    assert_eq!(layer.handle().state(), closed);
}

trait CallAfterReady: Service<u32> + Sized {
    async fn call_after_ready(mut self, request: u32) -> Self::Future
    where
        Self::Error: std::fmt::Debug,
    {
        self.ready().await.unwrap();
        self.call(request)
    }
}

impl<S: Service<u32>> CallAfterReady for S {}
