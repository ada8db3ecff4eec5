//! What happens when time is up.

use super::{Told, grpc, ms, within};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use ziggurat_core::{
    BoxError, CallOptions, Carry, Classify, Code, Deadline, Grpc, Outcome, Record, Recorder,
    Rejection, Sent, clock, error,
};
use ziggurat_deadline::{DeadlineLayer, Exceeded, Phase};
use ziggurat_testkit::{Counting, HttpScript, ScriptBody, Step};

#[derive(Clone, Default)]
struct Settled(Arc<Mutex<Vec<Outcome>>>);

impl Record for Settled {
    fn settle(self, outcome: Outcome) {
        self.0.lock().unwrap().push(outcome);
    }
}

/// Always has another byte.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

fn cause(error: &BoxError) -> (Phase, Code, Sent) {
    let exceeded = error::find::<Exceeded>(&**error).unwrap();
    let rejection = error::find::<Rejection>(exceeded).unwrap();
    assert!(rejection.is_decision());
    (exceeded.phase(), rejection.code(), rejection.sent())
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_response_ends_at_the_deadline() {
    let begun = clock::now();
    let heard = Told::default();
    let (inner, gauge) = Counting::new(HttpScript::new([Step::never()]));
    let layer = DeadlineLayer::client(within(120)).observe_with(heard.clone());
    let error = layer.layer(inner).oneshot(grpc()).await.unwrap_err();

    assert_eq!(clock::now() - begun, ms(120));
    assert_eq!(
        cause(&error),
        (Phase::Response, Code::DeadlineExceeded, Sent::Unknown)
    );
    assert_eq!(
        error.to_string(),
        "deadline exceeded after 120ms waiting for the response"
    );
    assert_eq!(error.downcast_ref::<Exceeded>().unwrap().after(), ms(120));
    assert_eq!((gauge.dropped(), heard.exceeded.load(Relaxed)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_kept_after_its_end_keeps_nothing_of_the_call() {
    let (inner, gauge) = Counting::new(HttpScript::new([Step::never()]));
    let mut call = pin!(DeadlineLayer::client(within(100)).layer(inner).call(grpc()));
    assert!(call.as_mut().await.is_err());
    assert_eq!(gauge.dropped(), 1);
    assert!(format!("{call:?}").contains("ResponseFuture"));
}

#[tokio::test(start_paused = true)]
async fn reading_the_body_ends_at_the_same_deadline() {
    let begun = clock::now();
    let body = ScriptBody::default()
        .data("one")
        .wait(ms(50))
        .data("two")
        .hang();
    let inner = HttpScript::new([Step::answer(Response::new(body)).after(ms(30))]);
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let mut body = service.oneshot(grpc()).await.unwrap().into_body();

    for data in ["one", "two"] {
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            data
        );
    }
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(clock::now() - begun, ms(100));
    assert_eq!(
        cause(&error),
        (Phase::Body, Code::DeadlineExceeded, Sent::Unknown)
    );
    assert_eq!(
        error.to_string(),
        "deadline exceeded after 100ms reading the response body"
    );
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_pends_ends_in_time() {
    let inner = service_fn(|_| async { Ok::<_, BoxError>(Response::new(Endless)) });
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let mut body = service.oneshot(grpc()).await.unwrap().into_body();
    let mut frames = 0;
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(_) => frames += 1,
            Err(error) => break error,
        }
        tokio::time::advance(ms(10)).await;
    };
    assert_eq!(frames, 10);
    assert_eq!(cause(&error).0, Phase::Body);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_in_time_is_handed_on_whenever_it_is_read() {
    let inner = HttpScript::new([
        Step::status(StatusCode::OK),
        Step::grpc("late").after(ms(100)),
    ]);
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let body = service.clone().oneshot(grpc()).await.unwrap().into_body();
    tokio::time::advance(ms(200)).await;
    assert!(body.collect().await.is_ok());
    // Polled first, the response wins over a timer that is due in the same moment.
    assert!(service.oneshot(grpc()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_up_is_not_sent() {
    let inner = HttpScript::new([Step::grpc("hello")]);
    let service = DeadlineLayer::client(within(100)).layer(inner.clone());
    let mut call = grpc();
    call.extensions_mut()
        .insert(CallOptions::new().deadline(Deadline::after(ms(5))));
    tokio::time::advance(ms(5)).await;
    let error = service.oneshot(call).await.unwrap_err();
    assert_eq!(
        cause(&error),
        (Phase::Sending, Code::DeadlineExceeded, Sent::Never)
    );
    assert_eq!(inner.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_too_late_before_it_asks_says_nothing_about_the_service() {
    let inner = HttpScript::new([Step::never()]);
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let settled = Settled::default();
    for (late, expected) in [(ms(5), Outcome::Cancelled), (ms(0), Outcome::Timeout)] {
        let mut call = grpc();
        let options = CallOptions::new().deadline(Deadline::after(ms(5)));
        call.extensions_mut().insert(options);
        tokio::time::advance(late).await;
        let recorder = Recorder::new(settled.clone(), Grpc.deadline(&call));
        let result = service.clone().oneshot(call).await;
        assert!(Grpc.observe(result, recorder).is_err());
        assert_eq!(settled.0.lock().unwrap().pop(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_records_inside_sees_a_timeout_and_not_a_cancelled_call() {
    let settled = Settled::default();
    let record = settled.clone();
    let inner = service_fn(move |call: http::Request<_>| {
        let recorder = Recorder::new(record.clone(), Grpc.deadline(&call));
        async move {
            let _kept: (_, http::Request<http_body_util::Empty<Bytes>>) = (recorder, call);
            std::future::pending::<Result<Response<ScriptBody>, BoxError>>().await
        }
    });
    let service = DeadlineLayer::client(within(100)).layer(inner);
    service.clone().oneshot(grpc()).await.unwrap_err();
    drop(tokio::time::timeout(ms(50), service.oneshot(grpc())).await);
    assert_eq!(
        *settled.0.lock().unwrap(),
        [Outcome::Timeout, Outcome::Cancelled]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_a_handler_lets_wait_is_not_blamed_for_what_the_handler_waits_for() {
    let settled = Settled::default();
    let tell = settled.clone();
    let handler = service_fn(move |_| {
        let recorder = Recorder::new(tell.clone(), None);
        async move {
            let body = ScriptBody::default().data("one").data("two");
            let response = ziggurat_core::Http.observe(Ok(Response::new(body)), recorder)?;
            let mut body = response.into_body();
            body.frame().await;
            std::future::pending::<()>().await;
            Ok::<_, BoxError>(Response::new(body))
        }
    });
    let service = DeadlineLayer::server().settings(within(100)).layer(handler);
    service.oneshot(grpc()).await.unwrap_err();
    assert_eq!(*settled.0.lock().unwrap(), [Outcome::Cancelled]);
}

#[tokio::test(start_paused = true)]
async fn whoever_records_a_plain_call_inside_sees_a_timeout_though_nobody_told_it_the_deadline() {
    let settled = Settled::default();
    let record = settled.clone();
    let inner = service_fn(move |(): ()| {
        let recorder = Recorder::new(record.clone(), None);
        async move {
            let _kept = recorder;
            std::future::pending::<Result<(), BoxError>>().await
        }
    });
    let service = DeadlineLayer::values(within(100)).layer(inner);
    service.clone().oneshot(()).await.unwrap_err();
    drop(tokio::time::timeout(ms(50), service.oneshot(())).await);
    assert_eq!(
        *settled.0.lock().unwrap(),
        [Outcome::Timeout, Outcome::Cancelled]
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_inner_service_is_handed_on_as_it_is() {
    let inner = HttpScript::new([Step::fail_with("boom")]);
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let error = service.oneshot(grpc()).await.unwrap_err();
    assert!(error.is::<ziggurat_testkit::Scripted>());

    let inner = HttpScript::new([Step::cut_off("half")]);
    let service = DeadlineLayer::client(within(100)).layer(inner);
    let body = service.oneshot(grpc()).await.unwrap().into_body();
    let error = body.collect().await.unwrap_err();
    assert!(error.is::<ziggurat_testkit::BodyCut>());
}
