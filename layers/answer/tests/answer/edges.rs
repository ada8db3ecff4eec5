//! On real servers: axum's, and tonic's seen through a generated client.

use super::{limited, request};
use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::{
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tower::{BoxError, ServiceBuilder, ServiceExt};
use ziggurat_answer::AnswerLayer;
use ziggurat_testkit::{
    EchoClient, EchoRequest, EchoServer,
    tonic::{
        self, Code,
        transport::{Server, server::TcpIncoming},
    },
};

/// Fails after its first frame.
struct CutShort<B>(B, bool);

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for CutShort<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.1 {
            return Poll::Ready(Some(Err(limited().into())));
        }
        let polled = Pin::new(&mut self.0).poll_frame(cx);
        self.1 = polled.is_ready();
        polled.map_err(Into::into)
    }
}

#[tokio::test]
async fn axum_takes_it_as_a_layer_around_layers_that_fail() {
    let calls = Arc::new(AtomicUsize::new(0));
    let limit = move |request: axum::extract::Request| match calls.fetch_add(1, Relaxed) {
        0 => Ok(request),
        _ => Err(BoxError::from(limited())),
    };
    let layers = ServiceBuilder::new()
        .layer(AnswerLayer::new())
        .filter(limit);
    let app = Router::new()
        .route("/echo.v1.Echo/Unary", post(async || "hello"))
        .layer(layers);
    let call = || request("text/plain").map(axum::body::Body::new);

    let response = app.clone().oneshot(call()).await.unwrap();
    assert_eq!(response.status(), 200);
    let response = app.oneshot(call()).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "100% full");
}

#[tokio::test]
async fn a_generated_client_sees_the_code_the_reason_and_the_pushback() {
    let layers =
        ServiceBuilder::new()
            .layer(AnswerLayer::new())
            .filter(|_: Request<tonic::body::Body>| {
                Err::<Request<tonic::body::Body>, _>(BoxError::from(limited()))
            });
    let server = EchoServer::setup().layer(layers).in_memory();
    let mut client = EchoClient::new(server.connect_in_memory().await);
    let status = client.unary(EchoRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "100% full");
    assert_eq!(
        status.metadata().get("grpc-retry-pushback-ms").unwrap(),
        "300"
    );
}

#[tokio::test]
async fn a_generated_client_sees_a_stream_end_with_the_code() {
    let layers = ServiceBuilder::new()
        .layer(AnswerLayer::new())
        .map_response(|response: Response<tonic::body::Body>| {
            response.map(|body| CutShort(body, false))
        });
    let server = EchoServer::setup().layer(layers).in_memory();
    let mut client = EchoClient::new(server.connect_in_memory().await);
    let request = EchoRequest {
        repeat: 1_000,
        payload: vec![0; 4_096].into(),
        ..EchoRequest::default()
    };
    let mut stream = client.server_stream(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
}

#[tokio::test]
async fn tonics_own_server_takes_it_as_a_layer() {
    let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into());
    let routes = tonic::service::Routes::default();
    let server = Server::builder()
        .layer(AnswerLayer::new())
        .add_routes(routes);
    // That it compiles is the test: nothing is served.
    drop(incoming.map(|incoming| server.serve_with_incoming(incoming)));
}
