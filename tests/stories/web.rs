//! Browsers' gRPC: the way into a server inside and outside of the layer that translates it.

use crate::{
    http,
    serving::{Buggy, PANIC, Port},
};
use axum::Router;
use std::time::Duration;
use tonic::{Code, body::Body};
use tonic_web::{GrpcWebClientLayer, GrpcWebLayer};
use tower::ServiceBuilder;
use ziggurat::{
    limit::{Rate, RateLimitLayer},
    server::ServerLayer,
};
use ziggurat_testkit::{EchoClient, EchoRequest, PlainClient};

/// An empty message, with its length before it; and the same in base64.
const EMPTY: &[u8] = &[0; 5];
const EMPTY_TEXT: &[u8] = b"AAAAAAA=";

/// One call, and one more every ten seconds.
fn limited(router: Router) -> Router {
    let rate = Rate::new(1, Duration::from_secs(10)).unwrap();
    router.layer(ServerLayer::internal().rate_limit(RateLimitLayer::new(rate)))
}

/// The translator inside of the way in, and outside of it.
fn both(around: impl Fn(Router) -> Router) -> [Router; 2] {
    [
        around(Buggy::router().layer(GrpcWebLayer::new())),
        around(Buggy::router()).layer(GrpcWebLayer::new()),
    ]
}

#[tokio::test]
async fn a_rejection_is_understood_by_clients_of_browsers() {
    for router in both(limited) {
        let port = Port::serve(router).await;
        let plain = PlainClient::connect(port.address).await.unwrap();
        let web = ServiceBuilder::new()
            .layer(GrpcWebClientLayer::new())
            .map_request(|request: ::http::Request<_>| request.map(Body::new))
            .service(plain);
        let mut client = EchoClient::new(web);
        client.unary(EchoRequest::default()).await.unwrap();
        let status = client.unary(EchoRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    }
}

#[tokio::test]
async fn browsers_and_plain_clients_and_grpc_share_a_port() {
    // The translator refuses whatever is HTTP/1.1 and not for it: it is for the gRPC routes alone.
    let grpc = Buggy::grpc().layer(GrpcWebLayer::new());
    let router = grpc.merge(Buggy::http()).layer(ServerLayer::internal());
    let port = Port::serve(router).await;
    let hello = http::get(port.address, "/hello", "").await;
    assert_eq!((hello.status, &*hello.body), (200, "hello"));
    let path = "/echo.v1.Echo/Unary";
    let web = http::post(port.address, path, "application/grpc-web", EMPTY).await;
    assert_eq!((web.status, web.header("grpc-status")), (200, None));
    let mut client = port.client().await;
    client.unary(EchoRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_rejection_is_a_status_in_the_head_for_every_dialect() {
    for (kind, body) in [
        ("application/grpc-web", EMPTY),
        ("application/grpc-web+proto", EMPTY),
        ("application/grpc-web-text", EMPTY_TEXT),
        ("application/grpc-web-text+proto", EMPTY_TEXT),
    ] {
        for router in both(limited) {
            let port = Port::serve(router).await;
            let call = async || http::post(port.address, "/echo.v1.Echo/Unary", kind, body).await;
            let answered = call().await;
            assert_eq!(
                (answered.status, answered.header("grpc-status")),
                (200, None),
                "{kind}"
            );
            let rejected = call().await;
            assert_eq!(
                (rejected.status, rejected.header("grpc-status")),
                (200, Some("8")),
                "{kind}"
            );
            let answered = rejected.header("content-type").unwrap();
            assert!(
                answered.starts_with("application/grpc-web"),
                "{kind}: {answered}"
            );
            assert!(rejected.header("grpc-retry-pushback-ms").is_some());
        }
    }
}

#[tokio::test]
async fn a_panic_never_looks_like_the_end_of_a_stream_to_a_browser() {
    for router in both(|router| router.layer(ServerLayer::internal())) {
        let port = Port::serve(router).await;
        let plain = PlainClient::connect(port.address).await.unwrap();
        let web = ServiceBuilder::new()
            .layer(GrpcWebClientLayer::new())
            .map_request(|request: ::http::Request<_>| request.map(Body::new))
            .service(plain);
        let mut client = EchoClient::new(web);
        let request = EchoRequest {
            message: PANIC.to_owned(),
            repeat: 3,
            ..EchoRequest::default()
        };
        let status = client.unary(request.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "internal error")
        );

        let mut replies = client.server_stream(request).await.unwrap().into_inner();
        for _ in 0..3 {
            assert!(replies.message().await.unwrap().is_some());
        }
        let status = replies.message().await.unwrap_err();
        assert_ne!(status.code(), Code::Ok);
    }
}
