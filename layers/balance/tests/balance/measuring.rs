//! What is measured of calls that end in their bodies.

use crate::feed::{Node, found};
use http::Request;
use http_body_util::BodyExt;
use std::time::Duration;
use tower::{Layer, ServiceExt};
use ziggurat_balance::{Balance, BalanceLayer};
use ziggurat_core::{ByResult, Code, Deadline, Http, Rejection};
use ziggurat_testkit::{HttpScript, Script, ScriptBody, Step};

type Service = Balance<Node<HttpScript>>;

fn balance(step: Step<http::Response<ScriptBody>>) -> Service {
    let (feeder, feed) = found([Node::new("a", HttpScript::new([step]))]);
    drop(feeder);
    BalanceLayer::p2c().layer(feed)
}

fn stream(body: ScriptBody) -> Step<http::Response<ScriptBody>> {
    let response = http::Response::builder().header("content-type", "application/grpc");
    Step::answer(response.body(body).unwrap())
}

fn ok() -> http::HeaderMap {
    [(
        http::HeaderName::from_static("grpc-status"),
        "0".parse().unwrap(),
    )]
    .into_iter()
    .collect()
}

fn millis(service: &Service) -> u128 {
    service.endpoints()[0].cost().as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_measured_to_its_last_frame() {
    let body = ScriptBody::default()
        .message("hi")
        .wait(Duration::from_millis(300));
    let service = balance(stream(body.trailers(ok())));
    let answer = service
        .clone()
        .oneshot(Request::new(String::new()))
        .await
        .unwrap();
    assert_eq!(service.endpoints()[0].pending(), 1, "it is not over yet");
    answer.into_body().collect().await.unwrap();
    assert_eq!(service.endpoints()[0].pending(), 0);
    assert!(
        (295..=300).contains(&millis(&service)),
        "{}",
        millis(&service)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_counts_as_pending_and_its_length_is_no_latency() {
    let body = ScriptBody::default()
        .message("hi")
        .wait(Duration::from_secs(3_600));
    let step = stream(body.trailers(ok())).after(Duration::from_millis(20));
    let service = balance(step);
    let answer = service
        .clone()
        .oneshot(Request::new(String::new()))
        .await
        .unwrap();
    assert!((15..=20).contains(&millis(&service)), "known by its head");
    assert_eq!(service.endpoints()[0].pending(), 1);
    answer.into_body().collect().await.unwrap();
    assert_eq!(service.endpoints()[0].pending(), 0);
    assert!(millis(&service) <= 20, "{}", millis(&service));

    let answer = service
        .clone()
        .oneshot(Request::new(String::new()))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    drop(answer);
    assert!(millis(&service) <= 20, "{}", millis(&service));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_call_that_is_given_up_counts_as_long_as_it_took() {
    let service = balance(Step::never());
    let call = service.clone().oneshot(Request::new(String::new()));
    tokio::time::timeout(Duration::from_secs(1), call)
        .await
        .unwrap_err();
    assert!(
        (995..=1_000).contains(&millis(&service)),
        "{}",
        millis(&service)
    );
    assert_eq!(
        service.endpoints()[0].failures(),
        0,
        "cancelled is not failed"
    );

    let mut request = Request::new(String::new());
    request
        .extensions_mut()
        .insert(Deadline::after(Duration::from_secs(1)));
    let call = service.clone().oneshot(request);
    tokio::time::timeout(Duration::from_secs(1), call)
        .await
        .unwrap_err();
    assert_eq!(service.endpoints()[0].failures(), 1, "but late is");
}

#[tokio::test(start_paused = true)]
async fn pushback_in_an_error_counts_as_latency() {
    let rejection = Rejection::decided(Code::ResourceExhausted, "full")
        .with_retry_after(Duration::from_secs(20));
    let script = Script::<u32, u32>::new([Step::fail(rejection)]);
    let (_feeder, feed) = found([Node::new("a", script)]);
    let service = BalanceLayer::p2c().classify_with(ByResult).layer(feed);
    service.clone().oneshot(1).await.unwrap_err();
    assert!(service.endpoints()[0].cost() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn pushback_in_an_answer_counts_as_latency() {
    let step = Step::trailers_only(ziggurat_testkit::tonic::Code::ResourceExhausted);
    let step = step.header("grpc-retry-pushback-ms", "20000");
    let (_feeder, feed) = found([Node::new("a", HttpScript::new([step]))]);
    let service = BalanceLayer::p2c().layer(feed);
    let request = Request::new(String::new());
    service.clone().oneshot(request).await.unwrap();
    assert!(service.endpoints()[0].cost() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_time_to_stay_away_in_a_plain_answer_counts_as_latency() {
    use http::StatusCode;
    for (status, counts) in [
        (StatusCode::SERVICE_UNAVAILABLE, true),
        (StatusCode::TOO_MANY_REQUESTS, true),
        // Elsewhere it says something else, or nothing.
        (StatusCode::SEE_OTHER, false),
        (StatusCode::OK, false),
    ] {
        let step = || Step::status(status).header("retry-after", "20");
        let costs =
            |cost: Duration| assert_eq!(cost >= Duration::from_secs(20), counts, "{status}");
        let (_feeder, feed) = found([Node::new("a", HttpScript::new([step()]))]);
        let service = BalanceLayer::p2c().classify_with(Http).layer(feed);
        let request = Request::new(String::new());
        service.clone().oneshot(request).await.unwrap();
        costs(service.endpoints()[0].cost());
        // A proxy in front of a server that speaks gRPC.
        let service = balance(step());
        let request = Request::new(String::new());
        service.clone().oneshot(request).await.unwrap();
        if counts {
            costs(service.endpoints()[0].cost());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_to_an_endpoint_that_is_removed_goes_on_to_its_end() {
    let body = ScriptBody::default().message("one");
    let body = body.wait(Duration::from_secs(2)).message("two");
    let step = stream(body.trailers(ok()));
    let (feeder, feed) = found([Node::new("a", HttpScript::new([step]))]);
    let service = BalanceLayer::p2c().layer(feed);
    let answer = service.oneshot(Request::new(String::new())).await.unwrap();
    feeder.remove("a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let whole = answer.into_body().collect().await.unwrap();
    assert!(whole.trailers().is_some());
    assert_eq!(whole.to_bytes().len(), 2 * (5 + 3));
}
