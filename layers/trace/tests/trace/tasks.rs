//! Across tasks, queues and streams.

use super::{Call, PARENT, TRACE_ID, grpc, recorder::Recorder, with};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    collections::HashSet,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::task::JoinSet;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};
use ziggurat_core::BoxError;
use ziggurat_testkit::{HttpScript, Step};
use ziggurat_trace::{TraceContext, TraceLayer, current, spawn};

/// One frame that says which trace it was made in.
struct Traced {
    ended: bool,
    logs: bool,
}

impl Traced {
    const fn new(ended: bool, logs: bool) -> Self {
        Self { ended, logs }
    }
}

impl Body for Traced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        if self.logs {
            tracing::info!("in the stream");
        }
        let text = current().map_or_else(String::new, |context| context.trace_id().to_string());
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_at_once_are_never_mixed_up() {
    let backend = service_fn(|call: Call| async move {
        tokio::task::yield_now().await;
        let mut response = Response::new(Traced::new(true, false));
        let sent = call.headers()["traceparent"].clone();
        response.headers_mut().insert("sent", sent);
        Ok::<_, BoxError>(response)
    });
    let client = ServiceBuilder::new()
        .layer(TraceLayer::client())
        .buffer(2_000)
        .layer(TraceLayer::attempt())
        .service(backend);
    let client = BoxCloneSyncService::new(client);
    let handler = service_fn(move |_: Call| {
        let client = client.clone();
        async move {
            tokio::task::yield_now().await;
            let task = spawn(client.oneshot(grpc()));
            let response = task.await??;
            let mut answer = Response::new(Traced::new(false, false));
            *answer.headers_mut() = response.headers().clone();
            Ok::<_, BoxError>(answer)
        }
    });
    let server = BoxCloneSyncService::new(TraceLayer::server().layer(handler));

    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        let server = server.clone();
        calls.spawn(async move {
            let above = TraceContext::root(&ziggurat_core::Dice::new());
            let mut call = grpc();
            above.inject(call.headers_mut());
            let response = server.oneshot(call).await.unwrap();
            let sent = response.headers()["sent"].to_str().unwrap().to_owned();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let trace_id = above.trace_id().to_string();
            assert_eq!(body, trace_id);
            assert_eq!(sent[3..35], trace_id);
            sent
        });
    }
    let sent: HashSet<_> = calls.join_all().await.into_iter().collect();
    assert_eq!(sent.len(), 1_000);
}

#[tokio::test]
async fn a_task_of_ours_stays_in_the_trace_and_the_span_and_one_of_tokios_does_not() {
    let (recorder, _guard) = Recorder::install();
    let handler = service_fn(|_: Call| async {
        tracing::info!("in the handler");
        let kept = spawn(async {
            tracing::info!("in a task of ours");
            current()
        });
        #[allow(clippy::disallowed_methods, reason = "to show what it loses")]
        let lost = tokio::spawn(async {
            tracing::info!("in a task of tokio's");
            current()
        });
        assert_eq!(kept.await.unwrap(), current());
        assert_eq!(lost.await.unwrap(), None);
        Ok::<_, BoxError>(Response::new(Traced::new(false, true)))
    });
    let call = with(grpc(), "traceparent", PARENT);
    let response = TraceLayer::server().layer(handler).oneshot(call).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), TRACE_ID);
    let events = recorder.events();
    let lines: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event["message"].as_str(),
                event.get("trace_id").map(String::as_str),
            )
        })
        .collect();
    let expected = [
        ("in the handler", Some(TRACE_ID)),
        ("in a task of ours", Some(TRACE_ID)),
        ("in a task of tokio's", None),
        ("in the stream", Some(TRACE_ID)),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn an_attempt_behind_a_buffer_is_below_its_call() {
    let (recorder, _guard) = Recorder::install();
    let inner = HttpScript::new([Step::grpc("hello")]);
    let service = ServiceBuilder::new()
        .layer(TraceLayer::client())
        .buffer(1)
        .layer(TraceLayer::attempt())
        .service(inner);
    let response = service.oneshot(grpc()).await.unwrap();
    response.into_body().collect().await.unwrap();
    let (call, attempt) = (recorder.only("call"), recorder.only("attempt").1);
    assert_eq!(attempt.parent, Some(call.0));
    assert_eq!(attempt.get("parent_id"), call.1.get("span_id"));
    assert_eq!(attempt.get("trace_id"), call.1.get("trace_id"));
}

#[tokio::test]
async fn an_attempt_in_a_task_that_knows_nothing_is_below_its_call() {
    let (recorder, _guard) = Recorder::install();
    let inner = HttpScript::new([Step::grpc("hello")]);
    let attempt = TraceLayer::attempt().layer(inner);
    let elsewhere = service_fn(move |call: Call| {
        #[allow(clippy::disallowed_methods, reason = "it loses the span")]
        let task = tokio::spawn(attempt.clone().oneshot(call));
        async { task.await.unwrap() }
    });
    let response = TraceLayer::client().layer(elsewhere).oneshot(grpc()).await;
    response.unwrap().into_body().collect().await.unwrap();
    let (call, attempt) = (recorder.only("call"), recorder.only("attempt").1);
    assert_eq!(attempt.parent, Some(call.0));
}
