//! What passes the way into a server beside its limits, and what a chain of calls is told there.

use crate::{
    http,
    serving::{Buggy, Port},
};
use axum::{Router, routing::get};
use futures_util::{TryFutureExt, future::MapErr};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tokio::{task::JoinSet, time};
use tonic::{Code, service::Routes};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{Service, layer::layer_fn};
use ziggurat::{
    client::Ziggurat,
    concurrency::{self, ConcurrencyLayer},
    coord::Registry,
    core::{self, BoxError, Instance},
    limit::{Rate, RateLimitLayer},
    server::{Lifecycle, ServerLayer},
};
use ziggurat_testkit::{
    Behaviour, EchoClient, EchoRequest, EchoServer, PlainClient,
    proto::echo_server::EchoServer as EchoService,
};

#[tokio::test]
async fn health_checks_pass_a_server_whose_limits_are_used_up_and_nothing_like_them_does() {
    let rate = Rate::new(1, Duration::from_secs(3_600)).unwrap();
    let one = ConcurrencyLayer::new(concurrency::Settings::new(1).unwrap());
    let lifecycle = Lifecycle::default();
    let layer = ServerLayer::edge()
        .lifecycle(&lifecycle)
        .rate_limit(RateLimitLayer::new(rate.burst(1).unwrap()))
        .concurrency(one.classify_with(core::Http));
    let (_reporter, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(EchoService::new(Buggy)).add_service(health);
    let router = routes
        .into_axum_router()
        .route("/hang", get(std::future::pending::<String>))
        .layer(layer);
    let port = Port::serve(router).await;

    let address = port.address;
    let mut hanging = JoinSet::new();
    hanging.spawn(async move { http::get(address, "/hang", "").await });
    while lifecycle.in_flight() == 0 {
        time::sleep(Duration::from_millis(1)).await;
    }
    let mut health = HealthClient::new(PlainClient::connect(address).await.unwrap());
    for _ in 0..20 {
        health.check(HealthCheckRequest::default()).await.unwrap();
    }
    // It answers what the handler answers, and is counted for as long as it lasts.
    let watch = health.watch(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(lifecycle.in_flight(), 2);
    drop(watch);
    let unknown = HealthCheckRequest {
        service: "nobody".to_owned(),
    };
    let unknown = health.check(unknown).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    for path in [
        "/grpc.health.v1.Health/../hang",
        "/grpc.health.v1.Health/Check/../../hang",
        "/grpc.health.v1.Health/Nothing",
        "/grpc.health.v1.Health/check",
        "/hang?/grpc.health.v1.Health/Check",
    ] {
        assert_eq!(http::get(address, path, "").await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn a_limit_that_lets_calls_wait_before_they_are_made_holds_up_no_health_check_and_no_deadline()
 {
    let lifecycle = Lifecycle::default();
    let layer = ServerLayer::internal()
        .lifecycle(&lifecycle)
        .deadline_header(::http::HeaderName::from_static("x-timeout-ms"))
        .concurrency(tower::limit::GlobalConcurrencyLimitLayer::new(1));
    let (_reporter, health) = tonic_health::server::health_reporter();
    let router = Routes::new(health)
        .into_axum_router()
        .route("/hang", get(std::future::pending::<String>))
        .route("/hello", get(async || "hello"))
        .layer(layer);
    let port = Port::serve(router).await;

    let address = port.address;
    let mut hanging = JoinSet::new();
    hanging.spawn(async move { http::get(address, "/hang", "").await });
    while lifecycle.in_flight() == 0 {
        time::sleep(Duration::from_millis(1)).await;
    }
    let patience = Duration::from_secs(60);
    let mut health = HealthClient::new(PlainClient::connect(address).await.unwrap());
    let check = health.check(HealthCheckRequest::default());
    time::timeout(patience, check).await.unwrap().unwrap();
    let hello = http::get(address, "/hello", "x-timeout-ms: 50\r\n");
    let late = time::timeout(patience, hello).await.unwrap();
    assert_eq!(late.status, 504);

    hanging.shutdown().await;
    let hello = time::timeout(patience, http::get(address, "/hello", "")).await;
    assert_eq!(hello.unwrap().body, "hello");
}

/// A limit that is broken, and says so before any call.
#[derive(Clone, Debug)]
struct Broken<S>(S);

impl<S: Service<R, Error: Into<BoxError>>, R> Service<R> for Broken<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = MapErr<S::Future, fn(S::Error) -> BoxError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err("the limit is broken".into()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request).map_err(Into::into)
    }
}

#[tokio::test]
async fn a_limit_that_fails_before_a_call_is_made_fails_no_health_check() {
    let layer = ServerLayer::internal().rate_limit(layer_fn(Broken));
    let (_reporter, health) = tonic_health::server::health_reporter();
    let router = Routes::new(health)
        .into_axum_router()
        .route("/hello", get(async || "hello"))
        .layer(layer);
    let port = Port::serve(router).await;

    let client = PlainClient::connect(port.address).await.unwrap();
    let mut health = HealthClient::new(client);
    for _ in 0..3 {
        let hello = http::get(port.address, "/hello", "").await;
        assert_eq!(hello.status, 503);
        health.check(HealthCheckRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn who_serves_a_further_attempt_calls_once_and_strangers_cannot_ask_for_it() {
    let backend = EchoServer::start().await;
    backend.behave(Behaviour::Fail(Code::Unavailable));
    let registry = Registry::memory();
    let instance = Instance::at("echo", backend.address()).unwrap();
    let _registration = registry.register(instance).await.unwrap();
    let channel = Ziggurat::new(registry).channel("echo");
    let handler = get(async move || {
        let called = EchoClient::new(channel).unary(EchoRequest::default()).await;
        called.map_or_else(|status| status.code().to_string(), |_| "called".to_owned())
    });
    let router = Router::new().route("/", handler);
    let edge = Port::serve(router.clone().layer(ServerLayer::edge())).await;
    let inside = Port::serve(router.layer(ServerLayer::internal())).await;

    let attempts = async |port: &Port, headers: &str| {
        let before = backend.counts().started;
        http::get(port.address, "/", headers).await;
        backend.counts().started - before
    };
    for further in [
        "ziggurat-chain-stop: 1\r\n",
        "grpc-previous-rpc-attempts: 1\r\n",
    ] {
        assert_eq!(attempts(&inside, further).await, 1, "{further}");
        assert!(attempts(&edge, further).await > 1, "{further}");
    }
    assert!(attempts(&inside, "").await > 1);
}
