//! Around services of plain values.

use super::{MINUTE, SECOND, five_for_a_minute};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{sync::Semaphore, task::JoinSet, time};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;
use ziggurat_breaker::{Breaker, BreakerLayer, Handle, Observer, Open, Settings, State};
use ziggurat_core::{ByResult, Code, Live, Rejection, Sent, error};
use ziggurat_testkit::{
    Counting, Gate, Gauge, Script, Scripted, Step, Strict, drop_at_every_await_then, tonic,
};

fn layer(settings: impl Into<Live<Settings>>) -> BreakerLayer<ByResult> {
    BreakerLayer::new(settings).classify_with(ByResult)
}

/// A service that can be broken and mended.
#[derive(Clone, Default)]
struct Backend(Arc<AtomicBool>);

impl Backend {
    fn breaks(&self, broken: bool) {
        self.0.store(broken, Ordering::Relaxed);
    }

    fn service(
        &self,
    ) -> (
        Counting<
            impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
        >,
        Gauge,
    ) {
        let Self(broken) = self.clone();
        Counting::new(Strict::new(move |request: u32| {
            let broken = broken.load(Ordering::Relaxed);
            async move {
                match broken {
                    true => Err("broken".into()),
                    false => Ok(request),
                }
            }
        }))
    }
}

async fn open_up<S>(service: &S, handle: &Handle)
where
    S: Service<u32, Response = u32, Error = BoxError> + Clone,
{
    while handle.state() == State::Closed {
        service.clone().oneshot(0).await.unwrap_err();
    }
}

fn is_open<T>(result: &Result<T, BoxError>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error::find::<Open>(&**error).is_some())
}

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
async fn exactly_one_of_fifty_callers_probes_and_two_successes_heal() {
    let backend = Backend::default();
    backend.breaks(true);
    let (inner, gauge) = backend.service();
    let slow = ServiceBuilder::new()
        .layer(layer(five_for_a_minute()))
        .then(|result| async {
            time::sleep(SECOND).await;
            result
        })
        .service(inner);
    let handle = slow.handle();
    open_up(&slow, &handle).await;
    backend.breaks(false);
    for round in 0..2 {
        time::advance(if round == 0 { MINUTE } else { SECOND }).await;
        let mut callers = JoinSet::new();
        for caller in 0..50 {
            callers.spawn(slow.clone().oneshot(caller));
        }
        let results = callers.join_all().await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(results.iter().filter(|result| is_open(result)).count(), 49);
        assert_eq!(gauge.started(), 6 + round);
    }
    assert_eq!(handle.state(), State::Closed);
    assert_eq!(handle.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_it_again() {
    let backend = Backend::default();
    backend.breaks(true);
    let (inner, gauge) = backend.service();
    let service = layer(five_for_a_minute()).layer(inner);
    let handle = service.handle();
    open_up(&service, &handle).await;
    time::advance(MINUTE).await;
    let probe = service.clone().oneshot(1).await;
    assert!(!is_open(&probe));
    assert_eq!((handle.state(), handle.opened()), (State::Open, 2));
    let after = service.clone().oneshot(2).await;
    assert!(is_open(&after));
    assert_eq!(gauge.started(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_probe_dropped_at_any_await_gives_its_place_back() {
    let backend = Backend::default();
    backend.breaks(true);
    let slow = ServiceBuilder::new()
        .layer(layer(five_for_a_minute()))
        .then(|result| async {
            time::sleep(SECOND).await;
            time::sleep(SECOND).await;
            result
        })
        .service(backend.service().0);
    let handle = slow.handle();
    open_up(&slow, &handle).await;
    time::advance(MINUTE).await;
    let call = || slow.clone().oneshot(1);
    let mut drops = 0;
    let healed = async {
        backend.breaks(false);
        drop_at_every_await_then(call, |_| drops += 1).await
    };
    assert_eq!(healed.await.unwrap(), 1);
    assert!(drops > 2, "{drops}");
    assert_eq!(handle.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_lets_another_go_after_the_probe_timeout() {
    let (mut breaker, mut inner) = mock::spawn_layer::<u32, u32, _>(layer(
        five_for_a_minute()
            .consecutive_failures(1)
            .and_then(|settings| settings.successes(1))
            .and_then(|settings| settings.probe_timeout(10 * SECOND))
            .unwrap(),
    ));
    assert_ready_ok!(breaker.poll_ready());
    let call = breaker.call(1);
    inner.next_request().await.unwrap().1.send_error("boom");
    call.await.unwrap_err();
    time::advance(MINUTE).await;

    assert_ready_ok!(breaker.poll_ready());
    let mut hung = task::spawn(breaker.call(2));
    assert_pending!(hung.poll());
    let (_, never_answered) = inner.next_request().await.unwrap();
    for (wait, admits) in [(0, false), (9, false), (1, true)] {
        time::advance(wait * SECOND).await;
        assert_ready_ok!(breaker.poll_ready());
        let mut call = task::spawn(breaker.call(3));
        if admits {
            assert_pending!(call.poll());
            inner.next_request().await.unwrap().1.send_response(4);
            assert_eq!(call.await.unwrap(), 4);
        } else {
            assert!(assert_ready_err!(call.poll()).is::<Open>());
        }
    }
    // What the first one says in the end is of an earlier state.
    never_answered.send_error("too late");
    hung.await.unwrap_err();
    assert_ready_ok!(breaker.poll_ready());
    assert_pending!(task::spawn(breaker.call(5)).poll());
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
