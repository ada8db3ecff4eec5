//! Pushback, deadlines, timeouts.

use crate::kit::*;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::{
    CallOptions, Code as OurCode, Deadline, Live, Outcome, Record, Recorder, Rejection, Sent,
    Stage, Whereabouts, clock, error,
};
use ziggurat_retry::{AttemptTimedOut, AttemptTimeout, RetryLayer};
use ziggurat_testkit::{HttpScript, Step, tonic, tonic::Code};

fn pushed(value: &str) -> Answer {
    Step::trailers_only(Code::Unavailable).header("grpc-retry-pushback-ms", value)
}

#[tokio::test(start_paused = true)]
async fn a_pushback_is_waited_for_and_nonsense_means_never() {
    for (value, calls, waited) in [
        ("500", 2, 500),
        ("0", 2, 0),
        ("-1", 1, 0),
        ("soon", 1, 0),
        ("+5", 1, 0),
        ("2147483648", 1, 0),
    ] {
        let inner = script([pushed(value), Step::grpc("fine")]);
        let (response, took) = timed(retry(&inner), post()).await;
        response.unwrap();
        assert_eq!((inner.calls(), took), (calls, waited * MS), "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_beyond_the_deadline_returns_the_answer_at_once() {
    let inner = script([pushed("500"), Step::grpc("fine")]);
    let (response, took) = timed(retry(&inner), with(post(), timeout(500 * MS))).await;
    assert_eq!(status(&response.unwrap()), "14");
    assert_eq!((inner.calls(), took), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_room_is_asked_again_only_when_it_invites() {
    let busy = Step::trailers_only(Code::ResourceExhausted);
    let inner = script([busy.clone(), Step::grpc("fine")]);
    retry(&inner).oneshot(idempotent()).await.unwrap();
    assert_eq!(inner.calls(), 1);
    let invites = busy.header("grpc-retry-pushback-ms", "30");
    let inner = script([invites, Step::grpc("fine")]);
    let (_, took) = timed(retry(&inner), post()).await;
    assert_eq!((inner.calls(), took), (2, 30 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_in_time_whatever_the_server_does() {
    let down = Step::trailers_only(Code::Unavailable);
    for (step, at_most) in [
        (down.clone(), 100),
        (down.after(90 * MS), 280),
        (Step::never(), 301),
    ] {
        for mut request in [post(), idempotent()] {
            let options = request
                .extensions_mut()
                .get_or_insert_default::<CallOptions>();
            *options = options.timeout(300 * MS);
            let inner = script([step.clone()]);
            let (result, took) = timed(retry(&inner), request).await;
            assert!(took <= at_most * MS + MS, "{step:?} took {took:?}");
            assert!(result.is_err() || status(&result.unwrap()) == "14");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_call_tries_again_before_its_deadline_is_gone() {
    let inner = script([Step::never(), Step::grpc("fine")]);
    let notes = Notes::default();
    let layer = RetryLayer::new(settings()).observe_with(notes.clone());
    let request = with(post(), timeout(900 * MS).idempotent(true));
    let (result, took) = timed(layer.layer(inner.clone()), request).await;
    result.unwrap();
    assert_eq!((inner.calls(), took.as_millis()), (2, 400));
    assert_eq!(notes.take(), ["1 timed out 300ms", "2 TimedOut 100ms"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_must_not_be_made_twice_gets_all_its_time() {
    let inner = script([Step::grpc("late").after(890 * MS)]);
    let (result, took) = timed(retry(&inner), with(post(), timeout(900 * MS))).await;
    result.unwrap();
    assert_eq!((inner.calls(), took), (1, 890 * MS));

    let inner = script([Step::never()]);
    let (result, took) = timed(retry(&inner), with(post(), timeout(900 * MS))).await;
    let error = result.unwrap_err();
    let timed_out = error.downcast_ref::<AttemptTimedOut>().unwrap();
    assert_eq!((timed_out.number(), timed_out.after()), (1, 900 * MS));
    assert_eq!((inner.calls(), took), (1, 900 * MS));
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), OurCode::DeadlineExceeded);
    assert_eq!(rejection.sent(), Sent::Unknown);
    assert!(rejection.is_decision());
    let status = tonic::Status::from_error(error);
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_layer_outside_may_keep_the_time_instead() {
    let inner = script([Step::never()]);
    let layer = RetryLayer::new(settings().enforce_deadline(false));
    let call = layer.layer(inner).oneshot(with(post(), timeout(100 * MS)));
    tokio::time::timeout(1_000 * MS, call).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_timeout_may_be_fixed_for_every_attempt_or_switched_off() {
    let fixed = settings()
        .attempt_timeout(AttemptTimeout::Fixed(50 * MS))
        .unwrap();
    let inner = script([Step::never()]);
    let service = RetryLayer::new(fixed).layer(inner.clone());
    let (result, took) = timed(service.clone(), post()).await;
    assert!(result.unwrap_err().is::<AttemptTimedOut>());
    assert_eq!((inner.calls(), took), (1, 50 * MS));
    let (result, took) = timed(service, idempotent()).await;
    assert_eq!(
        result
            .unwrap_err()
            .downcast::<AttemptTimedOut>()
            .unwrap()
            .number(),
        5
    );
    assert_eq!(
        (inner.calls(), took),
        (6, (5 * 50 + 100 + 200 + 400 + 800) * MS)
    );

    let off = settings().attempt_timeout(AttemptTimeout::Off).unwrap();
    let inner = script([Step::grpc("late").after(800 * MS)]);
    let service = RetryLayer::new(off).layer(inner.clone());
    service
        .oneshot(with(post(), timeout(900 * MS).idempotent(true)))
        .await
        .unwrap();
    assert_eq!(inner.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_answers_usually_take_bounds_an_attempt() {
    let inner = HttpScript::by(|number, _| match number {
        150 => Step::never(),
        _ => Step::grpc("fine").after(20 * MS),
    });
    let mut service = retry(&inner);
    for _ in 0..150 {
        ready(&mut service).await.call(idempotent()).await.unwrap();
    }
    let (result, took) = timed(service, idempotent()).await;
    result.unwrap();
    assert_eq!(inner.calls(), 152);
    // Ten times 20 ms and the width of a bucket, the backoff, the answer.
    let took = took.saturating_sub(120 * MS);
    assert!((200 * MS..=230 * MS).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_cannot_make_a_call_wait_for_years() {
    for (name, value) in [
        ("retry-after", "4294967295"),
        ("grpc-retry-pushback-ms", "2147483647"),
    ] {
        let busy = match name {
            "retry-after" => Step::status(http::StatusCode::SERVICE_UNAVAILABLE),
            _ => Step::trailers_only(Code::Unavailable),
        };
        let inner = script([busy.header(name, value), Step::grpc("fine")]);
        let (result, took) = timed(retry(&inner), idempotent()).await;
        assert_eq!(result.unwrap().headers()[name], value, "as it is");
        assert_eq!((inner.calls(), took), (1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_records_an_attempt_that_was_dropped_sees_a_timeout() {
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<Outcome>>>);
    impl Record for Told {
        fn settle(self, outcome: Outcome) {
            self.0.lock().unwrap().push(outcome);
        }
    }
    let told = Told::default();
    let record = told.clone();
    let inner = server(move |request| {
        let deadline = request.extensions().get::<Deadline>().copied();
        let recorder = Recorder::new(record.clone(), deadline);
        async move {
            let _recorder = recorder;
            std::future::pending().await
        }
    });
    let service = RetryLayer::new(settings()).layer(inner);
    let request = with(post(), timeout(900 * MS).idempotent(true));
    let mut call = Box::pin(service.oneshot(request));
    let waited = tokio::time::timeout(350 * MS, &mut call).await;
    waited.unwrap_err();
    // It is gone before the next one begins.
    assert_eq!(*told.0.lock().unwrap(), [Outcome::Timeout]);
    tokio::time::timeout(100 * MS, &mut call).await.unwrap_err();
    drop(call);
    let told = told.0.lock().unwrap();
    assert_eq!(*told, [Outcome::Timeout, Outcome::Cancelled]);
}

#[tokio::test(start_paused = true)]
async fn of_two_calls_that_are_ended_together_one_does_not_say_since_when_the_other_waited() {
    let service = RetryLayer::new(settings()).layer(script([Step::never()]));
    let mut call = Box::pin(service.oneshot(post()));
    tokio::time::timeout(MS, &mut call).await.unwrap_err();
    let ((), told) = Whereabouts::inquire(|| {
        Whereabouts::tell(|other| {
            other.stage = Some(Stage::Endpoint);
            other.since = Some(clock::now());
        });
        drop(call);
    });
    assert_eq!(
        (told.attempt, told.stage, told.since),
        (Some(1), None, None)
    );
}

#[tokio::test(start_paused = true)]
async fn the_settings_of_a_call_are_those_it_began_with() {
    let (setter, live) = Live::channel(settings());
    let inner = script([Step::trailers_only(Code::Unavailable)]);
    let mut service = RetryLayer::new(live).layer(inner.clone());
    let call = ready(&mut service).await.call(post());
    setter.set(settings().attempts(1.try_into().unwrap()));
    call.await.unwrap();
    assert_eq!(inner.calls(), 5);
    ready(&mut service).await.call(post()).await.unwrap();
    assert_eq!(inner.calls(), 6);
}
