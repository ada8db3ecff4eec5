//! Where one layer's edge meets another's: limits of streams, idleness and health checks in one stack.

use crate::{
    health::{telling_as, until},
    house::{House, hello},
};
use std::time::Duration;
use tonic_health::ServingStatus;
use ziggurat::{
    client::{ChannelSettings, RequestExt, Ziggurat},
    connect,
    core::{Instance, State},
    discover::Fixed,
    health::active,
};
use ziggurat_testkit::{EchoClient, EchoServer, bounded};

const SECOND: Duration = Duration::from_secs(1);

fn active() -> active::Settings {
    let active = active::Settings::new().service("echo");
    active.interval(Duration::from_millis(50)).unwrap()
}

fn at(name: &str, server: &EchoServer) -> Instance {
    let address = server.address();
    Instance::new("echo", name, &address.ip().to_string(), address.port()).unwrap()
}

#[tokio::test]
async fn a_server_that_allows_no_stream_keeps_no_call_from_another() {
    bounded();
    let full = EchoServer::setup().max_concurrent_streams(0).start().await;
    let good = EchoServer::setup().name("good").start().await;
    let ziggurat = Ziggurat::new(Fixed::new([at("full", &full), at("good", &good)]));
    let channel = ziggurat.channel("echo");
    channel.connect().await.unwrap();
    until(&channel, "good", State::Ready).await;
    let mut client = EchoClient::new(channel.clone());
    for nth in 0..200 {
        let call = client.unary(hello());
        let answer = tokio::time::timeout(3 * SECOND, call).await;
        let answer = answer.unwrap_or_else(|_| panic!("call {nth} hangs: {channel:?}"));
        assert_eq!(answer.unwrap().into_inner().server, "good");
    }
}

#[tokio::test]
async fn a_health_check_leaves_calls_a_stream_of_a_server_that_allows_one() {
    bounded();
    let (server, says) = telling_as(EchoServer::setup().max_concurrent_streams(1)).await;
    says.set_service_status("echo", ServingStatus::Serving)
        .await;
    let ziggurat = Ziggurat::new(Fixed::new([at("one", &server)]));
    let channel = ziggurat
        .settings(ChannelSettings::new().active_health(active()))
        .channel("echo");
    let mut client = EchoClient::new(channel.clone());
    for _ in 0..20 {
        let call = client.unary(hello().with_timeout(3 * SECOND));
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_waits_for_ready_outlives_an_idle_endpoint_that_is_down_for_a_while() {
    bounded();
    let server = EchoServer::start().await;
    let idle = connect::Settings::new().idle_close(SECOND).unwrap();
    let settings = ChannelSettings::new().connect(idle);
    let ziggurat = Ziggurat::new(Fixed::new([at("one", &server)])).settings(settings);
    let channel = ziggurat.channel("echo");
    let mut client = EchoClient::new(channel.clone());
    client.unary(hello()).await.unwrap();
    until(&channel, "one", State::Idle).await;
    server.kill().await;
    let call = client.unary(hello().wait_for_ready().with_timeout(10 * SECOND));
    let back = async {
        tokio::time::sleep(SECOND / 2).await;
        server.restart().await;
    };
    let (answer, ()) = tokio::join!(call, back);
    answer.unwrap();
}

#[tokio::test]
async fn connections_of_a_bounded_age_cost_no_call_where_servers_are_asked_how_they_do() {
    bounded();
    let mut house = House::of(0).await;
    let (one, says) =
        telling_as(EchoServer::setup().max_connection_age(Duration::from_millis(300))).await;
    house.register("one", &one).await;
    says.set_service_status("echo", ServingStatus::Serving)
        .await;
    let settings = ChannelSettings::new().active_health(active());
    let ziggurat = Ziggurat::new(house.registry.clone()).settings(settings);
    let mut client = EchoClient::new(ziggurat.channel("echo"));
    let end = tokio::time::Instant::now() + 2 * SECOND;
    let mut calls = 0;
    while tokio::time::Instant::now() < end {
        let answer = client.unary(hello()).await;
        answer.unwrap_or_else(|status| panic!("call {calls}: {status:?}"));
        calls += 1;
    }
    assert!(one.counts().accepted > 2, "{:?}", one.counts());
}
