//! For a tower user: the layers, composed by hand.

use crate::house::{House, hello};
use std::time::Duration;
use tonic::Code;
use tower::ServiceBuilder;
use ziggurat::{
    balance::BalanceLayer,
    breaker::{self, BreakerLayer},
    connect::Connector,
    deadline::{self, DeadlineLayer},
    discover::DiscoverLayer,
    health::HealthLayer,
    limit::{Limited, Rate, RateLimitLayer},
    retry::{self, RetryLayer},
    trace::TraceLayer,
};
use ziggurat_testkit::EchoClient;

#[tokio::test]
async fn the_whole_stack_serves_a_generated_client() {
    let house = House::of(2).await;
    let timeout = deadline::Settings::new(Duration::from_secs(2)).unwrap();
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::client())
        .layer(BreakerLayer::new(breaker::Settings::default()))
        .layer(DeadlineLayer::new(timeout))
        .layer(RetryLayer::new(retry::Settings::default()))
        .layer(TraceLayer::attempt())
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(house.registry.clone(), "echo"))
        .layer(HealthLayer::default())
        .service(Connector::default());
    let client = EchoClient::new(stack);
    let calls = (0..40).map(|_| {
        let mut client = client.clone();
        async move { client.unary(hello()).await.unwrap() }
    });
    futures_util::future::join_all(calls).await;
    assert!(
        house.arrived().iter().all(|calls| *calls > 0),
        "{:?}",
        house.arrived()
    );
}

#[tokio::test]
async fn any_layer_can_be_left_out() {
    let house = House::of(1).await;
    let stack = ServiceBuilder::new()
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(house.registry.clone(), "echo"))
        .service(Connector::default());
    EchoClient::new(stack.clone()).unary(hello()).await.unwrap();
    let mut streamed = EchoClient::new(stack)
        .server_stream(hello())
        .await
        .unwrap()
        .into_inner();
    while streamed.message().await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_limit_on_the_client_is_resource_exhausted_with_a_pushback() {
    let house = House::of(1).await;
    let stack = ServiceBuilder::new()
        .layer(RateLimitLayer::new(
            Rate::per_second(1).unwrap().burst(2).unwrap(),
        ))
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(house.registry.clone(), "echo"))
        .service(Connector::default());
    let mut client = EchoClient::new(stack);
    for _ in 0..2 {
        client.unary(hello()).await.unwrap();
    }
    let status = client.unary(hello()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.metadata().get("grpc-retry-pushback-ms").is_some());
    assert!(ziggurat::core::error::find::<Limited>(&status).is_some());
    assert_eq!(house.arrived(), [2]);
}
