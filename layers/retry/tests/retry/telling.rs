//! What an attempt tells the server of its time.

use crate::kit::*;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::{Deadline, clock, grpc::decode_timeout};
use ziggurat_retry::{AttemptTimeout, RetryLayer};
use ziggurat_testkit::{Gate, HttpScript, Step, Strict, tonic::Code};

/// What the attempts told the server, and when the words of ours say that the call is over.
fn told(inner: &HttpScript, began: clock::Instant) -> Vec<(String, u128)> {
    let seen = inner.seen();
    let told = seen.iter().map(|seen| {
        let header = seen.headers["grpc-timeout"].to_str().unwrap();
        let deadline = seen.extensions.get::<Deadline>().unwrap();
        (header.to_owned(), deadline.remaining(began).as_millis())
    });
    told.collect()
}

fn asking(timeout: &str) -> Call {
    let mut request = idempotent();
    let timeout = timeout.parse().unwrap();
    request.headers_mut().insert("grpc-timeout", timeout);
    request
}

#[tokio::test(start_paused = true)]
async fn each_attempt_tells_how_much_time_is_left() {
    let down = || Step::trailers_only(Code::Unavailable).after(40 * MS);
    let inner = script([down(), down(), Step::grpc("fine")]);
    let began = clock::now();
    retry(&inner).oneshot(asking("1S")).await.unwrap();
    let expected = [("1S", 1_000), ("860000u", 1_000), ("620000u", 1_000)];
    assert_eq!(
        told(&inner, began),
        expected.map(|(header, due)| (header.into(), due))
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_below_may_tell_instead() {
    for (mut request, expected) in [(post(), None), (asking("1S"), Some("1S"))] {
        request = with(request, timeout(1_000 * MS));
        let inner = script([Step::trailers_only(Code::Unavailable), Step::grpc("fine")]);
        let layer = RetryLayer::new(settings()).tell(false);
        layer.layer(inner.clone()).oneshot(request).await.unwrap();
        let seen = inner.seen();
        let headers = seen.iter().map(|seen| seen.headers.get("grpc-timeout"));
        let headers: Vec<_> = headers
            .map(|told| told.map(|told| told.to_str().unwrap()))
            .collect();
        assert_eq!(headers, [expected, expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_cut_short_here_and_nobody_else_is_told() {
    let inner = script([Step::never(), Step::grpc("fine")]);
    let began = clock::now();
    let request = with(post(), timeout(900 * MS).idempotent(true));
    let (result, took) = timed(retry(&inner), request).await;
    result.unwrap();
    assert_eq!(took.as_millis(), 400);
    let expected = [("900000u", 900), ("500000u", 900)];
    assert_eq!(
        told(&inner, began),
        expected.map(|(header, due)| (header.into(), due))
    );

    // Neither where the answers are quick and their bodies are not, nor with a timeout of our own.
    let fixed = settings()
        .attempt_timeout(AttemptTimeout::Fixed(50 * MS))
        .unwrap();
    for settings in [settings(), fixed] {
        let inner = script([Step::grpc("slowly")]);
        let mut service = RetryLayer::new(settings).layer(inner.clone());
        for _ in 0..150 {
            let call = asking("30S");
            ready(&mut service).await.call(call).await.unwrap();
        }
        for (header, due) in told(&inner, clock::now()) {
            assert_eq!((header.as_str(), due), ("30S", 30_000));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_to_what_it_was_told_may_use_the_whole_deadline() {
    let inner = server(|request| async move {
        let told = decode_timeout(&request.headers()["grpc-timeout"]).unwrap();
        let work = async {
            request.into_body().collect().await.unwrap();
            tokio::time::sleep(1_500 * MS).await;
        };
        let worked = tokio::time::timeout(told, work).await;
        Ok(answer(if worked.is_ok() { "0" } else { "4" }))
    });
    let service = RetryLayer::new(settings().replay_limit(5)).layer(inner);
    let (result, took) = timed(service, asking("3S")).await;
    assert_eq!(status(&result.unwrap()), "0");
    assert_eq!(took, 1_500 * MS);
}

#[tokio::test(start_paused = true)]
async fn who_tells_the_server_of_more_time_than_there_is_has_a_reason() {
    let down = || Step::trailers_only(Code::Unavailable).after(40 * MS);
    let inner = script([down(), Step::grpc("fine")]);
    let mut request = asking("1100m");
    request.extensions_mut().insert(Deadline::after(1_000 * MS));
    let began = clock::now();
    retry(&inner).oneshot(request).await.unwrap();
    let expected = [("1100m".into(), 1_000), ("960000u".into(), 1_000)];
    assert_eq!(told(&inner, began), expected);

    // What cannot be read tells nothing.
    let inner = script([Step::grpc("fine")]);
    let mut request = asking("soon");
    request.extensions_mut().insert(Deadline::after(1_000 * MS));
    retry(&inner).oneshot(request).await.unwrap();
    assert_eq!(inner.seen()[0].headers["grpc-timeout"], "1000000u");
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_is_late_tells_so() {
    let gate = Gate::default();
    let inner = script([Step::grpc("fine")]);
    let strict = Strict::around(inner.clone()).gate(&gate);
    let mut service = RetryLayer::new(settings()).layer(strict);
    gate.fail_next(1);
    let began = clock::now();
    let call = ready(&mut service).await.call(asking("1S"));
    gate.open();
    call.await.unwrap();
    assert_eq!(told(&inner, began), [("900000u".into(), 1_000)]);
}
