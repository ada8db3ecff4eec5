//! Who finds out whether a broken service is well again.

use super::{
    MINUTE, SECOND,
    backend::{Backend, is_open, layer, open_up},
    five_for_a_minute,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::{task::JoinSet, time};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;
use ziggurat_breaker::{Open, State};
use ziggurat_core::{BoxError, ByResult, Carry, Classify, Deadline, Record, Recorder};
use ziggurat_testkit::drop_at_every_await_then;

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

/// Panics over a request that it is asked about.
#[derive(Clone, Copy)]
struct Picky;

const INDIGESTIBLE: u32 = 13;

impl<Rsp> Classify<Rsp> for Picky {
    type Response<R: Record> = Rsp;

    fn observe<R: Record>(
        &self,
        result: Result<Rsp, BoxError>,
        recorder: Recorder<R>,
    ) -> Result<Rsp, BoxError> {
        ByResult.observe(result, recorder)
    }
}

impl Carry<u32> for Picky {
    fn deadline(&self, request: &u32) -> Option<Deadline> {
        assert_ne!(*request, INDIGESTIBLE);
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_request_keeps_no_place_of_a_probe() {
    let backend = Backend::default();
    backend.breaks(true);
    let layer = layer(five_for_a_minute()).classify_with(Picky);
    let mut service = layer.layer(backend.service().0);
    let handle = service.handle();
    open_up(&service, &handle).await;
    backend.breaks(false);
    time::advance(MINUTE).await;
    service.ready().await.unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(service.call(INDIGESTIBLE))));
    assert!(panicked.is_err());
    assert!(service.oneshot(1).await.is_ok());
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
