//! What can be asked: JSON in, gRPC out. The deadline and the trace of the request that is being served
//! reach the calls by themselves.

use super::{Gateway, events, metrics, refusal::Refusal};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Sse},
};
use futures_util::try_join;
use serde::{Deserialize, Serialize};
use tonic::Request;
use ziggurat::client::RequestExt;
use ziggurat_testkit::{EchoClient, EchoReply, EchoRequest}; // your generated code

/// Whom to greet.
#[derive(Debug, Deserialize)]
pub(super) struct Greet {
    name: String,
    /// How long the greeter thinks, for who wants to see a deadline at work.
    #[serde(default)]
    think_ms: u32,
}

/// A greeting, and who had a part in it.
#[derive(Debug, Serialize)]
pub(super) struct Greeting {
    greeting: String,
    news: String,
    served_by: [ServedBy; 2],
}

#[derive(Debug, Serialize)]
struct ServedBy {
    service: &'static str,
    server: String,
    /// The trace that the service saw.
    trace_id: String,
}

/// Asks both services at once.
pub(super) async fn greet(
    State(gateway): State<Gateway>,
    Json(asked): Json<Greet>,
) -> Result<Json<Greeting>, Refusal> {
    let greet = EchoRequest {
        message: format!("hello, {}", asked.name),
        repeat: asked.think_ms,
        ..EchoRequest::default()
    };
    let headline = EchoRequest {
        message: "headline".to_owned(),
        ..EchoRequest::default()
    };
    // May be asked twice, so it is tried again elsewhere when a server dies in the middle of it.
    let (mut greeter, mut news) = (
        EchoClient::new(gateway.greeter),
        EchoClient::new(gateway.news),
    );
    let (greeted, told) = try_join!(
        greeter.unary(Request::new(greet).idempotent()),
        news.unary(Request::new(headline).idempotent()),
    )?;
    let (greeted, told) = (greeted.into_inner(), told.into_inner());
    Ok(Json(Greeting {
        greeting: greeted.message.clone(),
        news: told.message.clone(),
        served_by: [
            ServedBy::new("greeter", greeted),
            ServedBy::new("news", told),
        ],
    }))
}

/// A gRPC stream as server-sent events.
pub(super) async fn news(
    State(gateway): State<Gateway>,
    Path((topic, count)): Path<(String, u32)>,
) -> Result<impl IntoResponse, Refusal> {
    let request = EchoRequest {
        message: topic,
        repeat: count,
        ..EchoRequest::default()
    };
    let stream = EchoClient::new(gateway.news).server_stream(request).await?;
    let events = events::of(stream.into_inner(), gateway.lifecycle.closing());
    Ok(Sse::new(events))
}

/// Whether to send it requests: not while it leaves.
pub(super) async fn ready(State(gateway): State<Gateway>) -> StatusCode {
    gateway.lifecycle.readiness()
}

/// What Prometheus reads.
pub(super) async fn metrics(State(gateway): State<Gateway>) -> String {
    metrics::render(&gateway)
}

// === impl ServedBy ===

impl ServedBy {
    fn new(service: &'static str, reply: EchoReply) -> Self {
        let trace_id = String::from_utf8_lossy(&reply.payload).into_owned();
        Self {
            service,
            server: reply.server,
            trace_id,
        }
    }
}
