//! Our discovery feeds tower's own balancer.

use crate::house::{House, hello};
use std::time::Duration;
use tower::{
    ServiceBuilder,
    balance::p2c::Balance,
    load::{CompleteOnResponse, PeakEwmaDiscover},
};
use ziggurat::{connect::Connector, discover::DiscoverLayer};
use ziggurat_testkit::EchoClient;

#[tokio::test]
async fn tower_balances_what_we_discover() {
    let mut house = House::of(2).await;
    let endpoints = ServiceBuilder::new()
        .layer(DiscoverLayer::new(house.registry.clone(), "echo"))
        .service(Connector::default());
    let (rtt, decay) = (Duration::from_millis(10), Duration::from_secs(10));
    let measured = PeakEwmaDiscover::new(endpoints, rtt, decay, CompleteOnResponse::default());
    let balance = ServiceBuilder::new()
        .buffer(64)
        .service(Balance::new(measured));

    let mut client = EchoClient::new(balance);
    for _ in 0..100 {
        client.unary(hello()).await.unwrap();
    }
    assert!(
        house.arrived().iter().all(|calls| *calls > 0),
        "{:?}",
        house.arrived()
    );

    house.join().await;
    while house.arrived()[2] == 0 {
        client.unary(hello()).await.unwrap();
    }
}
