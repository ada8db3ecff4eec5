#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! What generated clients and servers ask of a stack, asked of every layer and of all together: that
//! it compiles with interceptors, origins, compression, message limits and spawned calls, and works.

use http::{Request, Response, Uri};
use std::time::Duration;
use tonic::{body::Body, codec::CompressionEncoding};
use tower::{Layer, Service, ServiceBuilder};
use ziggurat::{
    answer::AnswerLayer,
    balance::{BalanceLayer, Foreign},
    breaker::BreakerLayer,
    client::{Channel, Ziggurat},
    concurrency::{self, ConcurrencyLayer},
    connect::Connector,
    coord::Registry,
    core::{BoxError, Instance},
    deadline::{self, DeadlineLayer},
    discover::DiscoverLayer,
    health::HealthLayer,
    limit::{Rate, RateLimitLayer},
    retry::RetryLayer,
    server::{Lifecycle, ServerLayer},
    trace::TraceLayer,
};
use ziggurat_testkit::{
    EchoClient, EchoRequest, EchoServer, PlainClient, assert_clone, assert_send, assert_sync,
};

/// Does with `stack` whatever a user of a generated client may.
async fn serves_generated_clients<S, B>(stack: S)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + Send + Sync,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Default + Send + 'static,
    B::Error: Into<BoxError> + Send + Sync,
{
    let pass = |request: tonic::Request<()>| Ok(request);
    let mut intercepted = EchoClient::with_interceptor(stack.clone(), pass);
    intercepted.unary(EchoRequest::default()).await.unwrap();

    let origin = Uri::from_static("http://origin.test");
    let mut limited = EchoClient::with_origin(stack.clone(), origin)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(1 << 10)
        .max_encoding_message_size(1 << 10);
    limited.unary(EchoRequest::default()).await.unwrap();

    let mut tasks = tokio::task::JoinSet::new();
    let mut client = EchoClient::new(stack);
    tasks.spawn(async move {
        client.unary(EchoRequest::default()).await.unwrap();
        let mut replies = client
            .server_stream(EchoRequest::default())
            .await
            .unwrap()
            .into_inner();
        while replies.message().await.unwrap().is_some() {}
    });
    tasks.join_all().await;
}

async fn one_layer<L, B>(layer: L)
where
    L: Layer<PlainClient>,
    L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Error: Into<BoxError> + Send + Sync,
    <L::Service as Service<Request<Body>>>::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Default + Send + 'static,
    B::Error: Into<BoxError> + Send + Sync,
{
    let server = EchoServer::start().await;
    serves_generated_clients(layer.layer(server.connect().await)).await;
}

#[test]
fn channels_can_go_anywhere() {
    assert_send::<Channel>();
    assert_sync::<Channel>();
    assert_clone::<Channel>();
    assert_send::<ziggurat::client::ResponseFuture>();
    assert_send::<ziggurat::client::Body>();
}

#[tokio::test]
async fn each_layer_serves_generated_clients_alone() {
    let timeout = deadline::Settings::new(Duration::from_secs(10)).unwrap();
    one_layer(TraceLayer::client()).await;
    one_layer(TraceLayer::attempt()).await;
    one_layer(BreakerLayer::default()).await;
    one_layer(DeadlineLayer::new(timeout)).await;
    one_layer(RateLimitLayer::new(Rate::per_second(1_000).unwrap())).await;
}

#[tokio::test]
async fn a_balance_of_any_services_serves_generated_clients() {
    let server = EchoServer::start().await;
    let clients = vec![server.connect().await, server.connect().await];
    let list = tower::discover::ServiceList::new::<Request<Body>>(clients);
    serves_generated_clients(BalanceLayer::p2c().layer(Foreign::new("echo", list))).await;
}

#[tokio::test]
async fn the_whole_stack_serves_generated_clients() {
    let server = EchoServer::start().await;
    let registry = Registry::memory();
    let instance = Instance::at("echo", server.address()).unwrap();
    let _registration = registry.register(instance).await.unwrap();
    let timeout = deadline::Settings::new(Duration::from_secs(10)).unwrap();
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::client())
        .layer(BreakerLayer::default())
        .layer(DeadlineLayer::new(timeout))
        .layer(RetryLayer::default())
        .layer(TraceLayer::attempt())
        .layer(RateLimitLayer::new(Rate::per_second(1_000).unwrap()))
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(registry.clone(), "echo"))
        .layer(HealthLayer::default())
        .service(Connector::default());
    serves_generated_clients(stack).await;
    serves_generated_clients(Ziggurat::new(registry).channel("echo")).await;
}

#[tokio::test]
async fn the_layers_of_a_server_fit_tonic_and_axum() {
    let layers = || {
        ServiceBuilder::new()
            .layer(TraceLayer::server())
            .layer(AnswerLayer::new())
            .layer(DeadlineLayer::server())
            .layer(RateLimitLayer::new(Rate::per_second(1_000).unwrap()))
    };
    let _axum: axum::Router = axum::Router::new().layer(layers());
    let server = EchoServer::setup().layer(layers()).start().await;
    serves_generated_clients(server.connect().await).await;
}

#[tokio::test]
async fn the_whole_way_into_a_server_fits_tonic_and_axum_and_what_clients_ask_of_a_service() {
    assert_send::<ServerLayer>();
    assert_sync::<ServerLayer>();
    assert_clone::<ServerLayer>();
    assert_send::<Lifecycle>();
    assert_sync::<Lifecycle>();
    let timeout = deadline::Settings::new(Duration::from_secs(10)).unwrap();
    let limits = || {
        ServerLayer::internal()
            .deadline(timeout)
            .rate_limit(RateLimitLayer::new(Rate::per_second(1_000).unwrap()))
            .concurrency(ConcurrencyLayer::new(
                concurrency::Settings::new(100).unwrap(),
            ))
    };
    let stacked = ServiceBuilder::new()
        .layer(limits())
        .layer(ServerLayer::edge());
    let _axum: axum::Router = axum::Router::new().layer(stacked.clone());
    let server = EchoServer::setup().layer(stacked).start().await;
    serves_generated_clients(server.connect().await).await;
    // With interceptors around it, which make bodies of their own.
    one_layer(ServerLayer::internal()).await;
    one_layer(limits()).await;
    let deny = |_: tonic::Request<()>| Err(tonic::Status::permission_denied("no"));
    let mut denied = EchoClient::new(tonic::service::interceptor::InterceptedService::new(
        ServerLayer::internal().layer(server.connect().await),
        deny,
    ));
    let status = denied.unary(EchoRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
}
