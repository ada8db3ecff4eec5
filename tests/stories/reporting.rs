//! Servers that say how loaded they are, over real sockets: tonic's, and the trailers that it sends.

use crate::house::{House, hello};
use std::time::Duration;
use tower::ServiceBuilder;
use ziggurat::{
    balance::{BalanceLayer, LoadReport, LoadReports, ReportLayer, RoundRobin},
    connect::Connector,
    discover::DiscoverLayer,
};
use ziggurat_testkit::{EchoClient, EchoServer};

/// A server that has a hundred calls a second, and uses so much of itself for them.
async fn server(name: &str, used: f64) -> EchoServer {
    let report = ReportLayer::new(move || LoadReport::new(100.0).application_utilization(used));
    let setup = EchoServer::setup().name(name).layer(report);
    setup.start().await
}

#[tokio::test]
async fn a_server_that_has_room_gets_more_calls() {
    let mut house = House::of(0).await;
    for (name, used) in [("idle", 0.1), ("busy", 0.4)] {
        let server = server(name, used).await;
        house.register(name, &server).await;
        house.servers.push(server);
    }
    let reports = LoadReports::new().blackout_period(Duration::ZERO);
    let reports = reports.weight_update_period(Duration::from_millis(100));
    let balance = ServiceBuilder::new()
        .layer(BalanceLayer::new(RoundRobin::by_load(reports.unwrap())))
        .layer(DiscoverLayer::new(house.registry.clone(), "echo"))
        .service(Connector::default());
    let client = EchoClient::new(balance.clone());
    let batch = async || {
        let before = house.arrived();
        for _ in 0..100 {
            client.clone().unary(hello()).await.unwrap();
        }
        let after = house.arrived();
        [after[0] - before[0], after[1] - before[1]]
    };
    let shared_out = async {
        loop {
            let calls = batch().await;
            // Four of five, and not by chance: a plain round robin takes every second one.
            if (78..=82).contains(&calls[0]) {
                return;
            }
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, shared_out).await.unwrap();
    let views = balance.endpoints();
    let weights = views.iter().map(|view| view.load_weight().unwrap().round());
    assert_eq!(weights.collect::<Vec<_>>(), [250.0, 1_000.0]);
}
