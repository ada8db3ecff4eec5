//! Errors instead of a response.

use super::{Limited, Told, boom, limited, request};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_answer::{AnswerLayer, Body};
use ziggurat_core::{BoxError, Code, Rejection, Sent};
use ziggurat_testkit::ScriptBody;

type Call = Request<Empty<bytes::Bytes>>;

async fn answer_by(
    layer: AnswerLayer,
    error: impl Fn() -> BoxError,
    call: Call,
) -> Response<Body<ScriptBody>> {
    let failing = service_fn(|_: Call| async { Err::<Response<ScriptBody>, _>(error()) });
    layer.layer(failing).oneshot(call).await.unwrap()
}

async fn answer(error: impl Fn() -> BoxError, call: Call) -> Response<Body<ScriptBody>> {
    answer_by(AnswerLayer::new(), error, call).await
}

fn headers(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    pairs.sort_unstable();
    pairs
}

#[tokio::test]
async fn grpc_hears_a_status_in_the_headers_and_nothing_more() {
    for (asked, answered) in [
        ("application/grpc", "application/grpc"),
        ("application/grpc+proto", "application/grpc"),
        ("application/grpc-web+proto", "application/grpc-web+proto"),
        (
            "application/grpc-web-text",
            "application/grpc-web-text+proto",
        ),
    ] {
        let response = answer(|| limited().into(), request(asked)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let expected = [
            ("content-type", answered),
            ("grpc-message", "100%25 full"),
            ("grpc-retry-pushback-ms", "300"),
            ("grpc-status", "8"),
        ];
        assert_eq!(headers(response.headers()), expected);
        assert!(response.body().is_end_stream());
        assert_eq!(response.body().size_hint().exact(), Some(0));
        assert!(response.into_body().frame().await.is_none());
    }
}

#[tokio::test]
async fn http_hears_a_status_when_to_come_back_and_why() {
    let response = answer(|| limited().into(), request("application/json")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let expected = [
        ("content-type", "text/plain; charset=utf-8"),
        ("retry-after", "1"),
    ];
    assert_eq!(headers(response.headers()), expected);
    assert_eq!(response.body().size_hint().exact(), Some(9));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "100% full"
    );
}

#[tokio::test]
async fn every_code_is_answered_and_none_is_ok() {
    for (code, status, number) in [
        (Code::Unavailable, 503, "14"),
        (Code::DeadlineExceeded, 504, "4"),
        (Code::ResourceExhausted, 429, "8"),
        (Code::Unauthenticated, 401, "16"),
        (Code::Ok, 500, "13"),
    ] {
        let error = || BoxError::from(Rejection::decided(code, "no"));
        let response = answer(error, request("text/plain")).await;
        assert_eq!(response.status(), status, "{code}");
        assert!(!response.headers().contains_key("retry-after"));
        let response = answer(error, request("application/grpc")).await;
        assert_eq!(response.headers()["grpc-status"], number, "{code}");
    }
}

#[tokio::test]
async fn what_nobody_meant_for_a_peer_stays_here() {
    let told = Told::default();
    let layer = AnswerLayer::new().observe_with(told.clone());
    let response = answer_by(layer.clone(), boom, request("application/grpc")).await;
    let expected = [
        ("content-type", "application/grpc"),
        ("grpc-message", "internal error"),
        ("grpc-status", "13"),
    ];
    assert_eq!(headers(response.headers()), expected);

    let response = answer_by(layer.clone(), boom, request("text/html")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "internal error");

    answer_by(layer, || limited().into(), request("text/html")).await;
    let lines = [
        "unexpected: the password is hunter2",
        "unexpected: the password is hunter2",
        "RESOURCE_EXHAUSTED: limited",
    ];
    assert_eq!(told.lines(), lines);
}

#[tokio::test]
async fn what_may_have_been_done_already_is_not_to_be_asked_for_again() {
    let after = std::time::Duration::from_millis(300);
    let lost = |sent| Rejection::undelivered("connection lost", sent).with_retry_after(after);
    let late = Rejection::decided(Code::DeadlineExceeded, "late").with_sent(Sent::Unknown);
    for (rejection, pushback, seconds) in [
        (lost(Sent::Unknown), Some("-1"), None),
        (lost(Sent::Unprocessed), Some("300"), Some("1")),
        (lost(Sent::Never), Some("300"), Some("1")),
        (late, None, None),
    ] {
        let error = || BoxError::from(Limited(rejection.clone()));
        let told = |response: &Response<_>, name| {
            let value: Option<&http::HeaderValue> = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let response = answer(error, request("application/grpc")).await;
        let told_grpc = told(&response, "grpc-retry-pushback-ms");
        assert_eq!(told_grpc.as_deref(), pushback, "{rejection:?}");
        let response = answer(error, request("text/plain")).await;
        let told_http = told(&response, "retry-after");
        assert_eq!(told_http.as_deref(), seconds, "{rejection:?}");
    }
}

#[tokio::test]
async fn a_reason_can_smuggle_no_header() {
    let error = || {
        let reason = "evil\r\nset-cookie: a=b";
        BoxError::from(Limited(Rejection::decided(Code::Unavailable, reason)))
    };
    let response = answer(error, request("application/grpc")).await;
    assert_eq!(
        response.headers()["grpc-message"],
        "evil%0D%0Aset-cookie: a=b"
    );
    assert_eq!(response.headers().len(), 3);
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_tonic_status_keeps_its_code_its_message_and_its_metadata() {
    use ziggurat_testkit::tonic;

    let error = || {
        let mut status = tonic::Status::with_details(tonic::Code::NotFound, "no é", "x".into());
        status.metadata_mut().insert("who", "me".parse().unwrap());
        let pushback = "1500".parse().unwrap();
        status
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", pushback);
        BoxError::from(status)
    };
    let response = answer(error, request("application/grpc")).await;
    let expected = [
        ("content-type", "application/grpc"),
        ("grpc-message", "no %C3%A9"),
        ("grpc-retry-pushback-ms", "1500"),
        ("grpc-status", "5"),
        ("grpc-status-details-bin", "eA"),
        ("who", "me"),
    ];
    assert_eq!(headers(response.headers()), expected);

    let response = answer(error, request("text/plain")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers().len(), 2);
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_tonic_status_says_never_to_try_again_if_its_cause_or_its_peer_does() {
    use ziggurat_testkit::tonic;

    let lost = || {
        let lost = Rejection::undelivered("connection lost", Sent::Unknown);
        BoxError::from(tonic::Status::from_error(Box::new(Limited(lost))))
    };
    let handed_on = || {
        let mut status = tonic::Status::unavailable("tried three times");
        let metadata = status.metadata_mut();
        metadata.insert("grpc-retry-pushback-ms", "-1".parse().unwrap());
        BoxError::from(status)
    };
    for error in [lost as fn() -> BoxError, handed_on] {
        let response = answer(error, request("application/grpc")).await;
        assert_eq!(response.headers()["grpc-status"], "14");
        assert_eq!(response.headers()["grpc-retry-pushback-ms"], "-1");
        let response = answer(error, request("text/plain")).await;
        assert!(!response.headers().contains_key("retry-after"));
    }
}

#[tokio::test]
async fn who_asks_for_the_head_alone_gets_that_of_the_same_error() {
    let inner = service_fn(|_: Request<Empty<bytes::Bytes>>| async {
        Err::<Response<String>, _>(BoxError::from(limited()))
    });
    let service = AnswerLayer::new().layer(inner);
    let request = Request::head("/").body(Empty::new()).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(answer.headers()["content-length"], "9");
    // A client of HTTP/2 takes anything else for a broken protocol.
    assert!(answer.body().is_end_stream());
    assert!(
        answer
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}
