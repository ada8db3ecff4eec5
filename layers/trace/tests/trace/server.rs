//! What a server reads, and what its handler sees.

use super::{Call, PARENT, TRACE_ID, UUID, grpc, with};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat_core::{BoxError, Dice};
use ziggurat_testkit::{HttpScript, Step};
use ziggurat_trace::{Body, TraceContext, TraceLayer, current};

async fn serve(layer: TraceLayer, call: Call) -> (TraceContext, Response<Body<Full<Bytes>>>) {
    let seen = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&seen);
    let handler = service_fn(move |call: Call| {
        let tell = Arc::clone(&tell);
        async move {
            assert_eq!(call.extensions().get::<TraceContext>(), current().as_ref());
            *tell.lock().unwrap() = current();
            Ok::<_, BoxError>(Response::new(Full::new(Bytes::new())))
        }
    });
    let response = layer.layer(handler).oneshot(call).await.unwrap();
    let context = seen.lock().unwrap().take().unwrap();
    (context, response)
}

#[tokio::test]
async fn a_request_with_either_header_both_or_neither_is_in_the_right_trace() {
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";
    let fresh = TraceContext::root(&Dice::seeded(3)).trace_id().to_string();
    let other = OTHER.replace('-', "");
    for (parent, x, expected) in [
        (Some(PARENT), None, TRACE_ID),
        (None, Some(OTHER), &other),
        (Some(PARENT), Some(OTHER), TRACE_ID),
        (None, None, &fresh),
        (Some("00-nonsense"), None, &fresh),
        (Some("00-nonsense"), Some(OTHER), &other),
        (Some("00-nonsense"), Some("nonsense"), &fresh),
    ] {
        let mut call = grpc();
        for (name, value) in [("traceparent", parent), ("x-trace-id", x)] {
            if let Some(value) = value {
                call = with(call, name, value);
            }
        }
        let layer = TraceLayer::server().dice(Dice::seeded(3));
        let (context, _) = serve(layer, call).await;
        assert_eq!(context.trace_id().to_string(), expected, "{parent:?} {x:?}");
        let below = context.parent_id().map(|id| id.to_string());
        let named = parent == Some(PARENT);
        assert_eq!(below.as_deref(), named.then_some("00f067aa0ba902b7"));
    }
}

#[tokio::test]
async fn an_answer_names_the_trace_only_when_told_to() {
    let call = || with(grpc(), "traceparent", PARENT);
    let (_, response) = serve(TraceLayer::server(), call()).await;
    assert!(response.headers().is_empty());
    let (_, response) = serve(TraceLayer::server().x_trace_id(true), call()).await;
    assert_eq!(response.headers()["x-trace-id"], UUID);
}

#[tokio::test]
async fn what_a_handler_calls_is_in_its_callers_trace_with_all_that_came_along() {
    let backend = HttpScript::new([Step::grpc("hello")]);
    let client = TraceLayer::client().layer(backend.clone());
    let handler = service_fn(move |_: Call| client.clone().oneshot(grpc()));
    let call = with(grpc(), "traceparent", PARENT);
    let call = with(call, "tracestate", "congo=t61rcWkgMzE,rojo=1");
    let call = with(call, "baggage", "user=1");
    let server = TraceLayer::server().layer(handler);
    server.oneshot(call).await.unwrap();

    let seen = backend.seen().pop().unwrap();
    let context = seen.extensions.get::<TraceContext>().unwrap();
    assert_eq!(context.trace_id().to_string(), TRACE_ID);
    assert_ne!(context.parent_id().unwrap().to_string(), "00f067aa0ba902b7");
    assert_eq!(seen.headers["tracestate"], "congo=t61rcWkgMzE,rojo=1");
    assert_eq!(seen.headers["baggage"], "user=1");
    assert_eq!(current(), None);
}
