//! The client stack, composed by hand: every layer can be left out, or replaced by one of yours.
//!
//! ```text
//! cargo run --example by_hand
//! ```

use std::time::Duration;
use tower::ServiceBuilder;
use ziggurat::{
    balance::BalanceLayer,
    breaker::{self, BreakerLayer},
    connect::Connector,
    coord::Registry,
    core::Instance,
    deadline::{self, DeadlineLayer},
    discover::DiscoverLayer,
    health::HealthLayer,
    retry::{self, RetryLayer},
    trace::TraceLayer,
};
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A service with two instances, which would run elsewhere and register themselves.
    let registry = Registry::memory();
    let (one, two) = (EchoServer::start().await, EchoServer::start().await);
    let _one = registry
        .register(Instance::at("echo", one.address())?)
        .await?;
    let _two = registry
        .register(Instance::at("echo", two.address())?)
        .await?;

    let stack = ServiceBuilder::new()
        .layer(TraceLayer::client())
        .layer(BreakerLayer::new(breaker::Settings::default()))
        .layer(DeadlineLayer::new(deadline::Settings::new(
            Duration::from_secs(2),
        )?))
        .layer(RetryLayer::new(retry::Settings::default()))
        .layer(TraceLayer::attempt())
        .layer(BalanceLayer::p2c())
        .layer(DiscoverLayer::new(registry, "echo"))
        .layer(HealthLayer::default())
        .service(Connector::default());

    let mut client = EchoClient::new(stack);
    for number in 1..=10 {
        let request = EchoRequest {
            message: format!("call {number}"),
            ..EchoRequest::default()
        };
        println!("{}", client.unary(request).await?.into_inner().message);
    }
    println!(
        "{} and {} calls",
        one.counts().finished,
        two.counts().finished
    );
    Ok(())
}
