//! Our discovery under tower's own balancer: `DiscoverLayer` makes a `tower::discover::Discover`.
//!
//! tower's `Balance` is not `Clone`, so a generated client needs a `Buffer` around it.
//!
//! ```text
//! cargo run --example tower_balance
//! ```

use std::time::Duration;
use tower::{
    ServiceBuilder,
    balance::p2c::Balance,
    load::{CompleteOnResponse, PeakEwmaDiscover},
};
use ziggurat::{connect::Connector, coord::Registry, core::Instance, discover::DiscoverLayer};
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let registry = Registry::memory();
    let (one, two) = (EchoServer::start().await, EchoServer::start().await);
    let _one = registry
        .register(Instance::at("echo", one.address())?)
        .await?;
    let _two = registry
        .register(Instance::at("echo", two.address())?)
        .await?;

    let endpoints = ServiceBuilder::new()
        .layer(DiscoverLayer::new(registry, "echo"))
        .service(Connector::default());
    let (rtt, decay) = (Duration::from_millis(10), Duration::from_secs(10));
    let measured = PeakEwmaDiscover::new(endpoints, rtt, decay, CompleteOnResponse::default());
    let balance = ServiceBuilder::new()
        .buffer(64)
        .service(Balance::new(measured));

    let mut client = EchoClient::new(balance);
    for _ in 0..10 {
        client.unary(EchoRequest::default()).await?;
    }
    println!(
        "{} and {} calls",
        one.counts().finished,
        two.counts().finished
    );
    Ok(())
}
