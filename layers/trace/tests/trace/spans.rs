//! The spans that a subscriber sees.

use super::{Call, PARENT, TRACE_ID, grpc, recorder::Recorder, with};
use http::{Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Empty};
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_core::{Attempt, BoxError, Code, Deadline, EndpointId, Picked, Rejection, Tried};
use ziggurat_testkit::{HttpScript, ScriptBody, Step, tonic};
use ziggurat_trace::TraceLayer;

type Answer = Step<http::Response<ScriptBody>>;

/// Makes a call, reads its answer to the end if there is one, and tells what its span says.
async fn record(call: Call, step: Answer, fields: &[&str]) -> Vec<Option<String>> {
    let (recorder, _guard) = Recorder::install();
    let service = TraceLayer::client().layer(HttpScript::new([step]));
    if let Ok(response) = service.oneshot(call).await {
        let _ = response.into_body().collect().await;
    }
    let (_, span) = recorder.only("call");
    assert!(span.closed);
    let texts = fields
        .iter()
        .map(|field| span.get(field).map(str::to_owned));
    texts.collect()
}

#[tokio::test]
async fn a_type_in_capitals_is_a_grpc_call_as_well() {
    for (kind, outcome, http) in [
        ("Application/gRPC+proto", "failure", None),
        ("Application/gRPC-Web", "success", Some("200")),
        ("application/grpcs", "success", Some("200")),
    ] {
        let mut call = grpc();
        call.headers_mut()
            .insert(CONTENT_TYPE, kind.parse().unwrap());
        let answer = Step::headers_then_status(tonic::Code::Unavailable, "half");
        let told = record(call, answer, &["outcome", "http.response.status_code"]).await;
        let expected = [Some(outcome), http].map(|field| field.map(str::to_owned));
        assert_eq!(told, expected, "{kind}");
    }
}

#[tokio::test]
async fn a_retried_call_is_one_span_with_one_below_it_for_each_attempt() {
    let (recorder, _guard) = Recorder::install();
    let inner = HttpScript::new([
        Step::trailers_only(tonic::Code::Unavailable),
        Step::fail_with("boom"),
        Step::grpc("hello"),
    ]);
    let attempts = TraceLayer::attempt().layer(inner);
    let retry = service_fn(move |call: Call| {
        let attempts = attempts.clone();
        async move {
            for number in 1..=2 {
                let mut call = call.clone();
                call.extensions_mut()
                    .insert(Attempt::new(number, Tried::new()));
                let _ = attempts.clone().oneshot(call).await;
            }
            let mut call = call;
            call.extensions_mut().insert(Attempt::new(3, Tried::new()));
            let mut response = attempts.oneshot(call).await?;
            let picked = Picked::new(EndpointId::new("10.0.0.1:80"));
            response.extensions_mut().insert(picked);
            Ok::<_, BoxError>(response)
        }
    });
    let client = TraceLayer::client().layer(retry);
    let handler = service_fn(move |_: Call| client.clone().oneshot(grpc()));
    let server = TraceLayer::server().layer(handler);
    let call = with(grpc(), "traceparent", PARENT);
    let response = server.oneshot(call).await.unwrap();

    let (place, span) = recorder.only("request");
    assert!(!span.closed, "its body is still to be read");
    response.into_body().collect().await.unwrap();

    let (request, call) = (recorder.only("request"), recorder.only("call"));
    assert_eq!((place, request.1.parent, call.1.parent), (0, None, Some(0)));
    assert_eq!(request.1.get("parent_id"), Some("00f067aa0ba902b7"));
    assert_eq!(request.1.get("otel.kind"), Some("server"));
    assert_eq!(call.1.get("endpoint"), Some("10.0.0.1:80"));
    let attempts = recorder.spans("attempt");
    for ((_, attempt), (number, outcome, status)) in attempts.iter().zip([
        ("1", "failure", Some("14")),
        ("2", "failure", None),
        ("3", "success", Some("0")),
    ]) {
        assert_eq!(attempt.parent, Some(call.0));
        assert_eq!(attempt.get("attempt"), Some(number));
        assert_eq!(attempt.get("outcome"), Some(outcome));
        assert_eq!(attempt.get("rpc.grpc.status_code"), status);
    }
    assert_eq!(attempts.len(), 3);
    assert_eq!(attempts[1].1.get("error"), Some("boom"));
    for (_, span) in attempts.iter().chain([&request, &call]) {
        assert_eq!(span.get("trace_id"), Some(TRACE_ID));
        assert_eq!(span.get("rpc.system"), Some("grpc"));
        assert_eq!(span.get("rpc.service"), Some("echo.v1.Echo"));
        assert_eq!(span.get("rpc.method"), Some("Unary"));
        assert!(span.closed);
    }
}

#[tokio::test]
async fn a_grpc_span_says_how_the_call_ended() {
    let rejection = Rejection::decided(Code::ResourceExhausted, "too many");
    for (step, outcome, status) in [
        (Step::grpc("hello"), "success", Some("0")),
        (
            Step::trailers_only(tonic::Code::NotFound),
            "success",
            Some("5"),
        ),
        (
            Step::headers_then_status(tonic::Code::Internal, "x"),
            "failure",
            Some("13"),
        ),
        (Step::missing_status("x"), "failure", None),
        (Step::cut_off("x"), "failure", None),
        (Step::html(StatusCode::BAD_GATEWAY), "failure", None),
        (Step::fail_with("boom"), "failure", None),
        (Step::fail(rejection), "overload", Some("8")),
    ] {
        let said = record(grpc(), step.clone(), &["outcome", "rpc.grpc.status_code"]).await;
        let expected = [Some(outcome.to_owned()), status.map(str::to_owned)];
        assert_eq!(said, expected, "{step:?}");
    }
}

#[tokio::test]
async fn an_http_span_says_what_was_asked_and_answered_and_no_query() {
    let fields = [
        "http.request.method",
        "url.path",
        "http.response.status_code",
        "outcome",
        "rpc.service",
    ];
    let call = Request::get("/users?token=secret")
        .body(Empty::new())
        .unwrap();
    let said = record(call, Step::status(StatusCode::NOT_FOUND), &fields).await;
    let expected = ["GET", "/users", "404", "success"].map(|text| Some(text.to_owned()));
    assert_eq!(said[..4], expected);
    assert_eq!(said[4], None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_was_cancelled_or_timed_out() {
    for (timeout, outcome) in [
        (None, "cancelled"),
        (Some(100), "cancelled"),
        (Some(10), "timeout"),
    ] {
        let (recorder, _guard) = Recorder::install();
        for step in [Step::never(), Step::hanging_body()] {
            let mut call = grpc();
            if let Some(millis) = timeout {
                let deadline = Deadline::after(Duration::from_millis(millis));
                call.extensions_mut().insert(deadline);
            }
            let service = TraceLayer::client().layer(HttpScript::new([step]));
            let reading = async {
                service
                    .oneshot(call)
                    .await
                    .unwrap()
                    .into_body()
                    .collect()
                    .await
            };
            let patience = Duration::from_millis(10);
            assert!(tokio::time::timeout(patience, reading).await.is_err());
        }
        for (_, span) in recorder.spans("call") {
            assert_eq!(span.get("outcome"), Some(outcome), "{timeout:?}");
            assert!(span.closed);
        }
        assert_eq!(recorder.spans("call").len(), 2);
    }
}
