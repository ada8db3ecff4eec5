//! Calls that are not HTTP.

use super::{ms, within};
use http::Extensions;
use tokio_test::{assert_pending, assert_ready_ok};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::{assert_request_eq, mock};
use ziggurat_core::{BoxError, Carry, Deadline, clock};
use ziggurat_deadline::{DeadlineLayer, Exceeded, Settings, scope};
use ziggurat_testkit::{Script, Step};

#[derive(Clone, Copy)]
struct ByExtensions;

impl Carry<Extensions> for ByExtensions {
    fn extensions<'r>(&self, request: &'r Extensions) -> Option<&'r Extensions> {
        Some(request)
    }

    fn extensions_mut<'r>(&self, request: &'r mut Extensions) -> Option<&'r mut Extensions> {
        Some(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_call_ends_at_the_earlier_of_its_own_deadline_and_the_current_one() {
    for (own, current, end) in [(100, 70, 70), (100, 200, 100)] {
        let begun = clock::now();
        let service =
            DeadlineLayer::values(within(own)).layer(Script::<u8, u8>::new([Step::never()]));
        let error = scope(Deadline::after(ms(current)), service.oneshot(1))
            .await
            .unwrap_err();
        assert!(error.is::<Exceeded>());
        assert_eq!(clock::now() - begun, ms(end));
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_in_time_is_handed_on() {
    let layer = DeadlineLayer::values(within(100));
    let (mut service, mut inner) = mock::spawn_layer::<&str, &str, _>(layer);
    assert_ready_ok!(service.poll_ready());
    let mut call = tokio_test::task::spawn(service.call("one"));
    assert_pending!(call.poll());
    assert_request_eq!(inner, "one").send_response("two");
    assert_eq!(assert_ready_ok!(call.poll()), "two");
}

// Outside of a runtime: arming a timer would panic.
#[test]
fn an_answer_that_is_there_at_once_arms_no_timer() {
    let service = DeadlineLayer::values(within(100))
        .layer(service_fn(|n: u8| std::future::ready(Ok::<_, BoxError>(n))));
    let mut call = tokio_test::task::spawn(service.oneshot(7));
    assert_eq!(assert_ready_ok!(call.poll()), 7);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_plain_call_begins_when_it_first_waits() {
    let layer = DeadlineLayer::values(within(100));
    let mut service = layer.layer(Script::<u8, u8>::new([Step::never()]));
    let mut call = tokio_test::task::spawn(service.ready().await.unwrap().call(1));
    tokio::time::advance(ms(40)).await;
    assert_pending!(call.poll());
    let begun = clock::now();
    let error = call.await.unwrap_err();
    assert_eq!(clock::now() - begun, ms(100));
    assert_eq!(error.downcast_ref::<Exceeded>().unwrap().after(), ms(100));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_carries_words_is_read_and_written() {
    let inner = service_fn(|request: Extensions| async move {
        let deadline = request.get::<Deadline>().copied();
        Ok::<_, BoxError>(deadline.map(|deadline| deadline.remaining(clock::now())))
    });
    let service = DeadlineLayer::values(Settings::default())
        .carry_with(ByExtensions)
        .settings(within(50))
        .layer(inner);
    let seen = service.clone().oneshot(Extensions::new()).await.unwrap();
    assert_eq!(seen, Some(ms(50)));
    for (asked, current, seen) in [(20, 90, 20), (80, 90, 80), (80, 70, 70)] {
        let mut request = Extensions::new();
        request.insert(Deadline::after(ms(asked)));
        let call = scope(
            Deadline::after(ms(current)),
            service.clone().oneshot(request),
        );
        assert_eq!(call.await.unwrap(), Some(ms(seen)), "{asked} {current}");
    }
}
