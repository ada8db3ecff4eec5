//! A limit for each endpoint, below the balance.

use crate::house::{House, hello};
use std::time::Duration;
use tokio::{task::JoinSet, time};
use tower::ServiceBuilder;
use ziggurat::{
    balance::{self, BalanceLayer},
    client::RequestExt,
    concurrency::{EndpointLayer, Settings},
    connect::Connector,
    discover::DiscoverLayer,
};
use ziggurat_testkit::{
    Behaviour, EchoClient, EchoReply,
    tonic::{Code, Response, Status},
};

/// So many calls at once to each server.
const LIMIT: u32 = 2;
const BRIEFLY: Duration = Duration::from_millis(50);
/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

type Answers = JoinSet<Result<Response<EchoReply>, Status>>;

/// A client of the servers of this house, which has called them all.
macro_rules! client {
    ($house:expr) => {{
        let settings = balance::Settings::default().fail_fast(BRIEFLY);
        let stack = ServiceBuilder::new()
            .layer(BalanceLayer::p2c().settings(settings))
            .layer(DiscoverLayer::new($house.registry.clone(), "echo"))
            .layer(EndpointLayer::new(Settings::new(LIMIT).unwrap()))
            .service(Connector::default());
        let mut client = EchoClient::new(stack);
        while $house.arrived().contains(&0) {
            client.unary(hello().with_timeout(LONG)).await.unwrap();
        }
        client
    }};
}

/// So many calls, all at once.
macro_rules! calls {
    ($client:expr, $count:expr) => {{
        let mut calls = Answers::new();
        for _ in 0..$count {
            let mut client = $client.clone();
            calls.spawn(async move { client.unary(hello().with_timeout(LONG)).await });
        }
        calls
    }};
}

#[tokio::test]
async fn an_endpoint_that_is_full_is_passed_over_while_another_has_room() {
    let house = House::of(2).await;
    let client = client!(house);
    let before = house.arrived();
    // What comes here stays.
    house.servers[0].behave(Behaviour::Stall);
    let mut calls = calls!(client, 40);
    for _ in 0..40 - LIMIT {
        calls.join_next().await.unwrap().unwrap().unwrap();
    }
    let arrived = house.arrived();
    assert_eq!(arrived[0] - before[0], u64::from(LIMIT));
    assert_eq!(arrived[1] - before[1], u64::from(40 - LIMIT));
    for server in &house.servers {
        assert!(server.counts().highest <= LIMIT as usize);
    }
}

#[tokio::test]
async fn when_all_endpoints_are_full_a_call_waits_for_room_but_not_beyond_its_time() {
    let house = House::of(2).await;
    let mut client = client!(house);
    for server in &house.servers {
        server.behave(Behaviour::Stall);
    }
    let before: u64 = house.arrived().iter().sum();
    let stalled = calls!(client, 2 * LIMIT);
    let full = async {
        while house.arrived().iter().sum::<u64>() < before + u64::from(2 * LIMIT) {
            time::sleep(Duration::from_millis(1)).await;
        }
    };
    time::timeout(LONG, full).await.unwrap();

    // Its time is what it has, or else what the balance lets it wait.
    let late = client.unary(hello().with_timeout(BRIEFLY)).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    let busy = client.unary(hello()).await;
    assert_eq!(busy.unwrap_err().code(), Code::Unavailable);

    let mut waiting = calls!(client, 3);
    let early = time::timeout(BRIEFLY, waiting.join_next()).await;
    assert!(early.is_err(), "it has no room: {early:?}");
    // None of all these has reached a server.
    let arrived: u64 = house.arrived().iter().sum();
    assert_eq!(arrived, before + u64::from(2 * LIMIT));

    for server in &house.servers {
        server.behave(Behaviour::Healthy);
    }
    drop(stalled);
    while let Some(answer) = waiting.join_next().await {
        answer.unwrap().unwrap();
    }
}
