//! A JSON gateway in front of a gRPC service: one deadline, one trace and one rate limit from the
//! first byte to the last backend.
//!
//! ```text
//! cargo run --example gateway                       # shows itself one request, and ends
//! cargo run --example gateway -- 127.0.0.1:8080     # serves there until it is stopped
//! curl -d '{"message": "hello"}' http://127.0.0.1:8080/echo
//! ```

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tonic::{Request, Status};
use tower::ServiceBuilder;
use ziggurat::{
    answer::AnswerLayer,
    client::{Channel, RequestExt, Ziggurat},
    coord::Registry,
    core::{Code, Instance},
    deadline::{self, DeadlineLayer},
    limit::{Rate, RateLimitLayer},
    trace::TraceLayer,
};
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // The backend would run elsewhere and register itself.
    let registry = Registry::memory();
    let backend = EchoServer::start().await;
    let _backend = registry
        .register(Instance::at("echo", backend.address())?)
        .await?;

    let channel = Ziggurat::new(registry).channel("echo");
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::server())
        .layer(AnswerLayer::new())
        .layer(DeadlineLayer::server().settings(deadline::Settings::new(Duration::from_secs(1))?))
        .layer(RateLimitLayer::new(Rate::per_second(100)?));
    let router = Router::new()
        .route("/echo", routing::post(echo))
        .layer(layers)
        .with_state(channel);

    if let Some(address) = std::env::args().nth(1) {
        let listener = TcpListener::bind(&address).await?;
        println!("listening on {address}");
        return Ok(axum::serve(listener, router).await?);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served?,
        shown = show(address) => println!("{}", shown?),
    }
    let headers = backend.last_headers().unwrap_or_default();
    println!(
        "the backend saw grpc-timeout {:?}",
        headers.get("grpc-timeout")
    );
    println!(
        "the backend saw traceparent {:?}",
        headers.get("traceparent")
    );
    Ok(())
}

/// The deadline and the trace of the request that is being served reach the call by themselves.
async fn echo(State(channel): State<Channel>, Json(body): Json<Value>) -> impl IntoResponse {
    let Some(message) = body.get("message").and_then(Value::as_str) else {
        let problem = json!({"error": "message is missing, or is no text"});
        return (StatusCode::BAD_REQUEST, Json(problem));
    };
    let request = EchoRequest {
        message: message.to_owned(),
        ..EchoRequest::default()
    };
    match EchoClient::new(channel)
        .unary(Request::new(request).idempotent())
        .await
    {
        Ok(reply) => {
            let message = reply.into_inner().message;
            (StatusCode::OK, Json(json!({"message": message})))
        }
        Err(status) => (
            http_status(&status),
            Json(json!({"error": status.message()})),
        ),
    }
}

fn http_status(status: &Status) -> StatusCode {
    let code = Code::from_number(i32::from(status.code()).unsigned_abs());
    code.unwrap_or(Code::Unknown).to_http()
}

async fn show(address: std::net::SocketAddr) -> Result<String, BoxError> {
    let body = r#"{"message": "hello"}"#;
    let mut socket = TcpStream::connect(address).await?;
    let head = "POST /echo HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\
                content-type: application/json\r\n\
                traceparent: 00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    Ok(answer)
}
