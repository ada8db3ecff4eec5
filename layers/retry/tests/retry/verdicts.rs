//! What is tried again and what is not.

use crate::kit::*;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use ziggurat_core::{Code as OurCode, Rejection, Sent, error};
use ziggurat_retry::{RetryLayer, Settings};
use ziggurat_testkit::{
    Script, Scripted, Step,
    tonic::{self, Code},
};

#[tokio::test(start_paused = true)]
async fn two_failures_then_a_success_are_three_calls() {
    let down = Step::trailers_only(Code::Unavailable);
    let inner = script([down.clone(), down, Step::grpc("fine")]);
    let (response, took) = timed(retry(&inner), post()).await;
    assert_eq!(status(&response.unwrap()), "");
    assert_eq!((inner.calls(), took), (3, 300 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_business_error_is_one_call() {
    for code in [
        Code::InvalidArgument,
        Code::NotFound,
        Code::Cancelled,
        Code::Internal,
    ] {
        let inner = script([Step::trailers_only(code)]);
        let response = retry(&inner).oneshot(idempotent()).await.unwrap();
        assert_eq!(status(&response), (code as i32).to_string());
        assert_eq!(inner.calls(), 1, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_headers_are_here_is_committed() {
    for step in [
        Step::headers_then_status(Code::Unavailable, "half"),
        Step::missing_status("half"),
        Step::cut_off("half"),
        Step::hanging_body(),
        Step::status(StatusCode::SERVICE_UNAVAILABLE).header("content-type", "application/grpc"),
    ] {
        let inner = script([step]);
        retry(&inner).oneshot(idempotent()).await.unwrap();
        assert_eq!(inner.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_in_capitals_commits_and_a_type_like_grpcs_does_not() {
    let busy = || Step::status(StatusCode::SERVICE_UNAVAILABLE);
    for (kind, calls) in [("Application/gRPC+proto", 1), ("application/grpcs", 2)] {
        let inner = script([busy().header("content-type", kind), Step::grpc("fine")]);
        retry(&inner).oneshot(idempotent()).await.unwrap();
        assert_eq!(inner.calls(), calls, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_gives_up_is_asked_again_only_for_an_idempotent_call() {
    for (code, again) in [
        (429, true),
        (502, true),
        (503, true),
        (504, true),
        (500, false),
    ] {
        let code = StatusCode::from_u16(code).unwrap();
        let steps = || script([Step::html(code), Step::grpc("fine")]);
        let inner = steps();
        let response = retry(&inner).oneshot(post()).await.unwrap();
        assert_eq!((response.status(), inner.calls()), (code, 1));
        let inner = steps();
        retry(&inner).oneshot(idempotent()).await.unwrap();
        assert_eq!(inner.calls(), 1 + usize::from(again), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_repeated_by_its_method_and_waits_as_it_is_told() {
    let busy = || Step::status(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", "2");
    for (method, calls, seconds) in [("GET", 2, 2), ("PUT", 2, 2), ("POST", 1, 0)] {
        let inner = script([busy(), Step::status(StatusCode::OK)]);
        let service = RetryLayer::http(settings()).layer(inner.clone());
        let request = Request::builder().method(method).uri("http://shop/");
        let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
        let (response, took) = timed(service, request).await;
        assert_eq!(
            (inner.calls(), took.as_secs()),
            (calls, seconds),
            "{method}"
        );
        assert_eq!(response.unwrap().status().is_success(), calls == 2);
        let seen = &inner.seen()[0].headers;
        assert!(seen.is_empty(), "no gRPC headers: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_be_asked_again_is_waited_for_whatever_the_status() {
    for status in [429, 502, 503, 504] {
        let status = StatusCode::from_u16(status).unwrap();
        let busy = Step::status(status).header("retry-after", "7");
        let inner = script([busy, Step::status(StatusCode::OK)]);
        let service = RetryLayer::http(settings()).layer(inner.clone());
        let request = Request::get("http://shop/").body(Full::<bytes::Bytes>::default());
        let (_, took) = timed(service, request.unwrap()).await;
        assert_eq!((inner.calls(), took), (2, 7_000 * MS), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_ages_is_not_asked_again_at_once() {
    for (wait, calls) in [
        ("60", 2),
        ("61", 1),
        ("4294967296", 1),
        ("99999999999999999999999999", 1),
        // Neither a number nor a date: as if it said nothing.
        ("-1", 2),
        ("+1", 2),
        ("soon", 2),
    ] {
        let busy = Step::status(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", wait);
        let inner = script([busy, Step::status(StatusCode::OK)]);
        let service = RetryLayer::http(settings()).layer(inner.clone());
        let request = Request::get("http://shop/").body(Full::<bytes::Bytes>::default());
        let (_, took) = timed(service, request.unwrap()).await;
        assert_eq!(inner.calls(), calls, "{wait}");
        let waited = match wait {
            "60" => 60_000 * MS,
            _ if calls == 2 => 100 * MS,
            _ => std::time::Duration::ZERO,
        };
        assert_eq!(took, waited, "{wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_to_come_back_at_is_seen_from_that_of_the_answer() {
    let now = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (at, millis) in [
        ("Sun, 06 Nov 1994 08:49:39 GMT", 2_000),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0),
    ] {
        let busy = Step::status(StatusCode::SERVICE_UNAVAILABLE);
        let busy = busy.header("date", now).header("retry-after", at);
        let inner = script([busy, Step::status(StatusCode::OK)]);
        let service = RetryLayer::http(settings()).layer(inner.clone());
        let request = Request::get("http://shop/").body(Full::<bytes::Bytes>::default());
        let (_, took) = timed(service, request.unwrap()).await;
        assert_eq!((inner.calls(), took), (2, millis * MS), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_far_a_call_got_decides() {
    let lost = |sent| Step::fail(Rejection::undelivered("lost", sent));
    for (step, otherwise, idempotently) in [
        (lost(Sent::Never), 2, 2),
        (lost(Sent::Unprocessed), 2, 2),
        (lost(Sent::Unknown), 1, 2),
        (Step::fail_with("foreign"), 1, 2),
        (
            Step::fail(Rejection::decided(OurCode::Unavailable, "open")),
            1,
            1,
        ),
    ] {
        for (request, calls) in [(post(), otherwise), (idempotent(), idempotently)] {
            let inner = script([step.clone(), Step::grpc("fine")]);
            let result = retry(&inner).oneshot(request).await;
            assert_eq!(
                (inner.calls(), result.is_ok()),
                (calls, calls == 2),
                "{step:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_settings_may_know_what_is_idempotent() {
    let known = |path: &str| path == "/shop.Cart/Get";
    let unknown = |path: &str| path == "/shop.Cart/Put";
    for (settings, calls) in [
        (settings(), 1),
        (settings().assume_idempotent(true), 2),
        (settings().idempotent_paths(known), 2),
        (settings().idempotent_paths(unknown), 1),
    ] {
        let inner = script([Step::fail_with("lost"), Step::grpc("fine")]);
        let service = RetryLayer::new(settings).layer(inner.clone());
        let _ = service.oneshot(post()).await;
        assert_eq!(inner.calls(), calls);
    }
    let inner = script([Step::fail_with("lost")]);
    let service = RetryLayer::new(settings().assume_idempotent(true)).layer(inner.clone());
    let options = ziggurat_core::CallOptions::new().idempotent(false);
    service.oneshot(with(post(), options)).await.unwrap_err();
    assert_eq!(inner.calls(), 1, "the call knows better");
}

#[tokio::test(start_paused = true)]
async fn the_caller_gets_the_last_error_itself() {
    let inner = script([Step::fail_with("first"), Step::fail_with("last")]);
    let settings = settings().attempts(2.try_into().unwrap());
    let service = RetryLayer::new(settings).layer(inner.clone());
    let error = service.oneshot(idempotent()).await.unwrap_err();
    assert_eq!(
        error.downcast_ref::<Scripted>().unwrap().to_string(),
        "last"
    );
    assert_eq!(inner.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_costs_neither_attempts_nor_budget() {
    let refused = || Step::fail(Rejection::undelivered("refused", Sent::Never));
    let mut steps: Vec<_> = (0..8).map(|_| refused()).collect();
    steps.push(Step::grpc("fine"));
    let inner = script(steps);
    let notes = Notes::default();
    let poor = settings().budget(0.0, 0).unwrap();
    let layer = RetryLayer::new(poor).observe_with(notes.clone());
    let (result, took) = timed(layer.layer(inner.clone()), post()).await;
    result.unwrap();
    assert_eq!(inner.calls(), 9);
    assert!(took >= 3_000 * MS, "it must not spin: {took:?}");
    assert_eq!(notes.take()[..2], ["1 Unsent 0ns", "1 Unsent 100ms"]);
    for seen in inner.seen() {
        assert!(!seen.headers.contains_key("grpc-previous-rpc-attempts"));
    }
}

#[tokio::test(start_paused = true)]
async fn plain_values_are_judged_by_a_predicate_and_by_their_rejection() {
    let is_scripted = |error: &(dyn std::error::Error + 'static)| error.is::<Scripted>();
    let decided = Rejection::decided(OurCode::ResourceExhausted, "limited");
    for (step, calls) in [
        (Step::fail_with("busy"), 3),
        (Step::fail(Rejection::undelivered("lost", Sent::Unknown)), 1),
        (Step::fail(decided), 1),
    ] {
        let inner = Script::<&str, &str>::new([step.clone(), step, Step::answer("fine")]);
        let service = RetryLayer::values(settings()).retry_if(is_scripted);
        let result = service.layer(inner.clone()).oneshot("request").await;
        assert_eq!((inner.calls(), result.is_ok()), (calls, calls == 3));
    }
    let inner = Script::<&str, &str>::new([Step::fail_with("foreign"), Step::answer("fine")]);
    let service = RetryLayer::values(settings()).layer(inner.clone());
    service.oneshot("request").await.unwrap_err();
    let service = RetryLayer::values(settings().assume_idempotent(true));
    let inner = Script::<&str, &str>::new([Step::fail_with("foreign"), Step::answer("fine")]);
    assert_eq!(
        service.layer(inner).oneshot("request").await.unwrap(),
        "fine"
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_from_elsewhere_is_judged_by_its_code_and_may_have_been_acted_on() {
    for (code, idempotent, calls) in [
        (Code::Unavailable, true, 2),
        (Code::Unavailable, false, 1),
        (Code::NotFound, true, 1),
    ] {
        let foreign = Step::fail(tonic::Status::new(code, "foreign"));
        let inner = Script::<&str, &str>::new([foreign, Step::answer("fine")]);
        let settings = settings().assume_idempotent(idempotent);
        let service = RetryLayer::values(settings).layer(inner.clone());
        let result = service.oneshot("request").await;
        let told = (inner.calls(), result.is_ok());
        assert_eq!(told, (calls, calls == 2), "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_generated_client_sees_the_code_of_every_error() {
    use ziggurat_testkit::{EchoClient, EchoRequest};
    let inner = script([Step::never()]);
    let mut client = EchoClient::new(retry(&inner));
    let mut request = tonic::Request::new(EchoRequest::default());
    request.set_timeout(50 * MS);
    let status = client.unary(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(error::find::<ziggurat_retry::AttemptTimedOut>(&status).is_some());

    let down = Step::trailers_only(Code::Unavailable);
    let inner = script([down.clone(), down]);
    let once = Settings::new().attempts(1.try_into().unwrap());
    let mut client = EchoClient::new(RetryLayer::new(once).layer(inner.clone()));
    let status = client.unary(EchoRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), inner.calls()), (Code::Unavailable, 1));
}
