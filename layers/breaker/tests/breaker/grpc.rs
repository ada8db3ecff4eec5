//! Around gRPC over HTTP: where the outcome stands in headers, trailers, or nowhere.

use super::{MINUTE, SECOND, five_for_a_minute};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::time;
use tower::{Layer, ServiceExt};
use ziggurat_breaker::{BreakerLayer, Open, Settings, State};
use ziggurat_core::{Deadline, Http, error};
use ziggurat_testkit::{
    HttpScript, ScriptBody, Step,
    tonic::Code::{self, Cancelled, Internal, NotFound, ResourceExhausted, Unavailable},
};

type Answer = Step<http::Response<ScriptBody>>;

fn request() -> Request<ScriptBody> {
    Request::new(ScriptBody::default())
}

/// What becomes of the circuit by ten such answers, each read to its end.
async fn after_ten(answer: Answer, settings: Settings) -> (usize, State) {
    let script = HttpScript::new([answer]);
    let layer = BreakerLayer::new(settings);
    let service = layer.layer(script.clone());
    for _ in 0..10 {
        if let Ok(response) = service.clone().oneshot(request()).await {
            let _ = response.into_body().collect().await;
        }
    }
    (script.calls(), layer.handle().state())
}

#[tokio::test(start_paused = true)]
async fn what_fails_opens_it_wherever_it_says_so() {
    for answer in [
        Answer::trailers_only(Unavailable),
        // As a tonic server says when its own timer ends a call.
        Answer::trailers_only(Cancelled),
        Answer::headers_then_status(Internal, "half"),
        Answer::headers_then_status(Code::DeadlineExceeded, "half"),
        Answer::missing_status("half"),
        Answer::cut_off("half"),
        Answer::html(StatusCode::SERVICE_UNAVAILABLE),
        Answer::html(StatusCode::OK),
        Answer::trailers_only(Code::Ok).header("grpc-status", "0x0"),
        Answer::fail_with("connection refused"),
    ] {
        let shown = format!("{answer:?}");
        let after = after_ten(answer, five_for_a_minute()).await;
        assert_eq!(after, (5, State::Open), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_failure_never_opens_it() {
    for answer in [
        Answer::grpc("well"),
        Answer::trailers_only(NotFound),
        Answer::headers_then_status(NotFound, "half"),
        Answer::trailers_only(ResourceExhausted),
    ] {
        let shown = format!("{answer:?}");
        let script = HttpScript::new([answer]);
        let service = BreakerLayer::new(five_for_a_minute()).layer(script.clone());
        for _ in 0..100 {
            let response = service.clone().oneshot(request()).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
        assert_eq!(script.calls(), 100, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_its_caller_drops_counts_for_nothing() {
    let script = HttpScript::new([Answer::headers_then_status(Internal, "half")]);
    let service = BreakerLayer::new(five_for_a_minute()).layer(script.clone());
    for _ in 0..100 {
        drop(service.clone().oneshot(request()).await.unwrap());
    }
    assert_eq!(script.calls(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_after_its_deadline_is_a_failure_and_before_it_is_not() {
    let hanging = [Answer::never(), Answer::hanging_body()];
    for (answer, patience, opens) in hanging
        .into_iter()
        .flat_map(|answer| [(answer.clone(), SECOND / 2, false), (answer, SECOND, true)])
    {
        let layer = BreakerLayer::new(five_for_a_minute());
        let service = layer.layer(HttpScript::new([answer]));
        for _ in 0..5 {
            let mut request = request();
            request.extensions_mut().insert(Deadline::after(SECOND));
            let whole = async {
                let response = service.clone().oneshot(request).await.unwrap();
                response.into_body().collect().await.unwrap();
            };
            time::timeout(patience, whole).await.unwrap_err();
        }
        assert_eq!(layer.handle().state() == State::Open, opens);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_header_counts_too() {
    let layer = BreakerLayer::new(five_for_a_minute());
    let service = layer.layer(HttpScript::new([Answer::never()]));
    for _ in 0..5 {
        let mut request = request();
        let header = "1S".parse().unwrap();
        request.headers_mut().insert("grpc-timeout", header);
        let call = time::timeout(SECOND, service.clone().oneshot(request));
        call.await.unwrap_err();
    }
    assert_eq!(layer.handle().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_probe_succeeds_when_its_answer_begins() {
    let script = HttpScript::by(|call, _| match call {
        0..5 => Answer::trailers_only(Unavailable),
        _ => Answer::hanging_body(),
    });
    let layer = BreakerLayer::new(five_for_a_minute());
    let service = layer.layer(script);
    for _ in 0..5 {
        service.clone().oneshot(request()).await.unwrap();
    }
    time::advance(MINUTE).await;
    let first = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(layer.handle().state(), State::HalfOpen);
    let second = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(layer.handle().state(), State::Closed);
    // Both streams are still open; dropping them says nothing.
    drop((first, second));
    assert_eq!(layer.handle().state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_probe_that_fails_in_its_trailers_opens_it_again() {
    let script = HttpScript::new([Answer::headers_then_status(Unavailable, "half")]);
    let layer = BreakerLayer::new(five_for_a_minute());
    let service = layer.layer(script.clone());
    for _ in 0..5 {
        let response = service.clone().oneshot(request()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    time::advance(MINUTE).await;
    let probe = service.clone().oneshot(request()).await.unwrap();
    assert_eq!(layer.handle().state(), State::HalfOpen);
    probe.into_body().collect().await.unwrap();
    assert_eq!(layer.handle().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_straggler_of_an_earlier_state_is_ignored() {
    let script = HttpScript::by(|call, _| match call {
        0 => Answer::headers_then_status(Unavailable, "old"),
        1..=5 => Answer::trailers_only(Unavailable),
        _ => Answer::grpc("well"),
    });
    let settings = five_for_a_minute().successes(3).unwrap();
    let layer = BreakerLayer::new(settings);
    let service = layer.layer(script);
    let straggler = service.clone().oneshot(request()).await.unwrap();
    for _ in 0..5 {
        service.clone().oneshot(request()).await.unwrap();
    }
    assert_eq!(layer.handle().state(), State::Open);
    time::advance(MINUTE).await;
    service.clone().oneshot(request()).await.unwrap();
    assert_eq!(layer.handle().state(), State::HalfOpen);
    straggler.into_body().collect().await.unwrap();
    assert_eq!(layer.handle().state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_plain_http_service_is_read_by_its_status() {
    let script = HttpScript::new([Answer::status(StatusCode::INTERNAL_SERVER_ERROR)]);
    let layer = BreakerLayer::new(five_for_a_minute()).classify_with(Http);
    let service = layer.layer(script.clone());
    for call in 0..6 {
        let result = service.clone().oneshot(request()).await;
        let open = result.is_err_and(|error| error::find::<Open>(&*error).is_some());
        assert_eq!(open, call == 5);
    }
}
