//! What a client sends.

use super::{Call, PARENT, TRACE_ID, UUID, grpc, with};
use tower::{Layer, ServiceExt};
use ziggurat_core::Dice;
use ziggurat_testkit::{HttpScript, Seen, Step};
use ziggurat_trace::{TraceContext, TraceLayer, scope};

async fn send(layer: TraceLayer, call: Call) -> Seen {
    let inner = HttpScript::new([Step::grpc("hello")]);
    layer.layer(inner.clone()).oneshot(call).await.unwrap();
    inner.seen().pop().unwrap()
}

/// The context that a request carries, which its header must repeat.
fn sent(seen: &Seen) -> &TraceContext {
    let context = seen.extensions.get::<TraceContext>().unwrap();
    assert_eq!(seen.headers["traceparent"], context.traceparent());
    context
}

fn above() -> TraceContext {
    let trace_id = TRACE_ID.parse().unwrap();
    TraceContext::new(trace_id, "00f067aa0ba902b7".parse().unwrap())
}

#[tokio::test]
async fn a_call_is_a_step_below_the_requests_extension_the_current_request_or_nothing() {
    let fresh = send(TraceLayer::client(), grpc()).await;
    assert_eq!(sent(&fresh).parent_id(), None);

    let current = scope(above(), send(TraceLayer::client(), grpc())).await;
    assert_eq!(sent(&current).trace_id(), above().trace_id());
    assert_eq!(sent(&current).parent_id(), Some(above().span_id()));
    assert_ne!(sent(&current).span_id(), above().span_id());
    assert_eq!(current.headers["x-trace-id"], UUID);

    let other = TraceContext::root(&Dice::new()).sampled(false);
    let mut call = grpc();
    call.extensions_mut().insert(other.clone());
    let named = scope(above(), send(TraceLayer::client(), call)).await;
    assert_eq!(sent(&named).trace_id(), other.trace_id());
    assert!(
        named.headers["traceparent"]
            .to_str()
            .unwrap()
            .ends_with("-00")
    );
}

#[tokio::test]
async fn a_seed_sends_the_same_ids_again_and_no_seed_never_does() {
    let layer = |dice| TraceLayer::client().dice(dice);
    let one = send(layer(Dice::seeded(1)), grpc()).await;
    let again = send(layer(Dice::seeded(1)), grpc()).await;
    assert_eq!(sent(&one), sent(&again));
    let other = send(layer(Dice::new()), grpc()).await;
    assert_ne!(sent(&one).trace_id(), sent(&other).trace_id());
}

#[tokio::test]
async fn headers_that_were_there_are_replaced() {
    let call = with(grpc(), "traceparent", PARENT);
    let call = with(call, "traceparent", "nonsense");
    let call = with(call, "tracestate", "stale=1");
    let call = with(call, "x-trace-id", "nonsense");
    let seen = send(TraceLayer::client(), call).await;
    let count = |name| seen.headers.get_all(name).iter().count();
    assert_eq!((count("traceparent"), count("x-trace-id")), (1, 1));
    assert_eq!(count("tracestate"), 0);
    assert_ne!(sent(&seen).trace_id().to_string(), TRACE_ID);
}

#[tokio::test]
async fn one_header_is_enough_where_nobody_reads_the_other() {
    let seen = send(TraceLayer::client().x_trace_id(false), grpc()).await;
    assert!(!seen.headers.contains_key("x-trace-id"));
    assert_eq!(seen.headers.len(), 2, "{:?}", seen.headers);
}

#[tokio::test]
async fn a_client_may_leave_the_headers_to_its_attempts() {
    let client = TraceLayer::client().inject(false);
    let seen = send(client.clone(), grpc()).await;
    assert_eq!(seen.headers.len(), 1, "{:?}", seen.headers);

    let inner = HttpScript::new([Step::grpc("hello")]);
    let attempt = TraceLayer::attempt().x_trace_id(true).layer(inner.clone());
    let service = client.layer(attempt);
    scope(above(), service.oneshot(grpc())).await.unwrap();
    let seen = &inner.seen()[0];
    let step = sent(seen);
    assert_eq!(step.trace_id(), above().trace_id());
    // The call is between them.
    assert_ne!(step.parent_id(), Some(above().span_id()));
    assert_eq!(seen.headers["x-trace-id"], UUID);
}

#[tokio::test]
async fn every_attempt_is_a_step_of_its_own_below_the_call() {
    let inner = HttpScript::new([Step::grpc("hello")]);
    let attempts = TraceLayer::attempt().layer(inner.clone());
    let twice = tower::service_fn(move |call: Call| {
        let attempts = attempts.clone();
        async move {
            attempts.clone().oneshot(call.clone()).await?;
            attempts.oneshot(call).await
        }
    });
    let service = TraceLayer::client().layer(twice);
    scope(above(), service.oneshot(grpc())).await.unwrap();
    let seen = inner.seen();
    let [one, two] = [&seen[0], &seen[1]].map(sent);
    assert_eq!(one.trace_id(), above().trace_id());
    assert_eq!(two.trace_id(), above().trace_id());
    assert_eq!(one.parent_id(), two.parent_id());
    assert_ne!(one.span_id(), two.span_id());
    assert_eq!(seen[1].headers["x-trace-id"], UUID);
}
