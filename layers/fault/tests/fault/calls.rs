//! Calls that wait, and calls that do not arrive.

use super::{Told, call, grpc, ms, under, with};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use ziggurat_core::{Code, Live, Rejection, Sent, error};
use ziggurat_fault::{Abort, FaultLayer, Faults, Injected, Kind};
use ziggurat_testkit::{HttpScript, Step, tonic};

#[tokio::test]
async fn an_aborted_call_is_answered_as_its_caller_speaks_and_never_arrives() {
    let script = HttpScript::new([Step::grpc("hello")]);
    let faults = Faults::new()
        .abort(Abort::with(Code::ResourceExhausted), 1.0)
        .unwrap();
    let service = FaultLayer::new(faults).layer(script.clone());

    let answer = service.clone().oneshot(grpc()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["grpc-status"], "8");
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let status = tonic::Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.message(), "fault injected");
    assert!(
        answer
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );

    let plain = Request::get("/")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let answer = service.oneshot(plain).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!answer.headers().contains_key("grpc-status"));
    assert_eq!(script.seen().len(), 0);
}

#[tokio::test]
async fn a_proxy_answers_grpc_with_a_status_of_http() {
    let faults = Faults::new()
        .abort(Abort::status(StatusCode::BAD_GATEWAY), 1.0)
        .unwrap();
    let answer = call(&under(faults), grpc()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(!answer.headers().contains_key("grpc-status"));
}

#[tokio::test]
async fn a_lost_call_is_unavailable_and_may_have_been_acted_on() {
    let faults = Faults::new().abort(Abort::lost(), 1.0).unwrap();
    let error = call(&under(faults), grpc()).await.unwrap_err();
    assert!(error::find::<Injected>(&*error).is_some());
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.sent(), Sent::Unknown);
    let status = tonic::Status::from_error(error);
    assert_eq!(status.code(), tonic::Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_is_sent_when_its_time_has_passed() {
    let faults = Faults::new().delay(ms(200), 1.0).unwrap();
    let begun = Instant::now();
    let answer = call(&under(faults), grpc()).await.unwrap();
    assert_eq!(begun.elapsed(), ms(200));
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_and_then_fails_is_told_as_both() {
    let told = Told::default();
    let faults = Faults::new()
        .delay_between(ms(100)..ms(300), 1.0)
        .and_then(|faults| faults.abort(Abort::lost(), 1.0))
        .unwrap();
    let layer = FaultLayer::new(faults).observe_with(told.clone());
    let service = layer.layer(HttpScript::new([Step::grpc("hello")]));
    let begun = Instant::now();
    assert!(service.oneshot(grpc()).await.is_err());
    assert!((ms(100)..ms(300)).contains(&begun.elapsed()));
    assert_eq!(*told.kinds.lock().unwrap(), [Kind::Delay, Kind::Abort]);
}

#[tokio::test]
async fn only_requests_with_all_of_the_headers_are_chosen() {
    let faults = Faults::new()
        .abort(Abort::lost(), 1.0)
        .unwrap()
        .only(HeaderName::from_static("x-canary"), None)
        .only(
            HeaderName::from_static("x-user"),
            Some(HeaderValue::from_static("7")),
        );
    let service = under(faults);
    for (headers, chosen) in [
        (&[][..], false),
        (&[("x-canary", "")], false),
        (&[("x-canary", "1"), ("x-user", "8")], false),
        (&[("x-canary", "1"), ("x-user", "8"), ("x-user", "7")], true),
    ] {
        let result = call(&service, with(headers)).await;
        assert_eq!(result.is_err(), chosen, "{headers:?}");
    }
}

#[tokio::test]
async fn a_seed_chooses_the_same_requests_again() {
    let faults = Faults::new().abort(Abort::lost(), 0.3).unwrap();
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let script = HttpScript::new([Step::grpc("hello")]);
        let service = FaultLayer::new(faults.clone()).seed(seed).layer(script);
        let mut failed = Vec::new();
        for number in 0..200 {
            if service.clone().oneshot(grpc()).await.is_err() {
                failed.push(number);
            }
        }
        runs.push(failed);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!((30..90).contains(&runs[0].len()), "{}", runs[0].len());
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_the_bound_have_a_fault_and_a_dropped_one_has_none() {
    let faults = Faults::new().delay(ms(1_000), 1.0).unwrap().at_most(2);
    let layer = FaultLayer::new(faults);
    let service = layer.layer(HttpScript::new([Step::grpc("hello")]));
    let mut waiting: Vec<_> = (0..2)
        .map(|_| Box::pin(service.clone().oneshot(grpc())))
        .collect();
    for call in &mut waiting {
        let polled = tokio::time::timeout(ms(1), call).await;
        assert!(polled.is_err());
    }
    assert_eq!(layer.active(), 2);
    let begun = Instant::now();
    service.clone().oneshot(grpc()).await.unwrap();
    assert_eq!(begun.elapsed(), ms(0));

    waiting.pop();
    assert_eq!(layer.active(), 1);
    waiting.pop().unwrap().await.unwrap();
    assert_eq!(layer.active(), 0);
}

#[tokio::test]
async fn a_game_day_begins_and_ends_while_calls_run() {
    let (game, live) = Live::channel(Faults::new());
    let service = FaultLayer::new(live).layer(HttpScript::new([Step::grpc("hello")]));
    assert!(service.clone().oneshot(grpc()).await.is_ok());
    game.set(Faults::new().abort(Abort::lost(), 1.0).unwrap());
    assert!(service.clone().oneshot(grpc()).await.is_err());
    game.set(Faults::new());
    assert!(service.oneshot(grpc()).await.is_ok());
}
