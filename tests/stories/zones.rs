//! A client that stays in its zone for as long as it can.

use crate::house::{House, hello};
use std::time::Duration;
use ziggurat::{
    client::{ChannelSettings, RequestExt, Ziggurat},
    core::Instance,
    discover::{Feedback, ResolveExt, Zones},
};
use ziggurat_testkit::{EchoClient, EchoServer};

#[tokio::test]
async fn calls_stay_in_the_zone_until_too_many_there_are_down_and_come_back() {
    let house = House::of(0).await;
    let (mut servers, mut registrations) = (Vec::new(), Vec::new());
    for n in 0..6 {
        let zone = if n < 4 { "here" } else { "there" };
        let server = EchoServer::setup().name(zone).start().await;
        let port = server.address().port();
        let instance = Instance::new("echo", &format!("e{n}"), "127.0.0.1", port).unwrap();
        let instance = instance.with_zone(zone).unwrap();
        registrations.push(house.registry.register(instance).await.unwrap());
        servers.push(server);
    }
    let feedback = Feedback::default();
    let zones = Zones::new("here").calm(Duration::from_millis(200));
    let source = house
        .registry
        .clone()
        .prefer_zone(zones.feedback(feedback.clone()));
    let ziggurat = Ziggurat::new(source).settings(ChannelSettings::new().feedback(feedback));
    let mut client = EchoClient::new(ziggurat.channel("echo"));
    let mut call = async || {
        client
            .unary(hello().idempotent())
            .await
            .unwrap()
            .into_inner()
            .server
    };

    for _ in 0..100 {
        assert_eq!(call().await, "here");
    }
    let accepted = |n: usize| servers[n].counts().accepted;
    assert_eq!((accepted(4), accepted(5)), (0, 0), "not even connected");

    servers[0].kill().await;
    servers[1].kill().await;
    let spilling = async { while call().await == "here" {} };
    tokio::time::timeout(Duration::from_secs(20), spilling)
        .await
        .unwrap();

    servers[0].restart().await;
    servers[1].restart().await;
    // It comes back when it has been well for a while: the others are let go.
    let open = |n: usize| servers[n].counts().connections;
    let returning = async {
        while open(4) + open(5) > 0 {
            call().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), returning)
        .await
        .unwrap();
    for _ in 0..100 {
        assert_eq!(call().await, "here");
    }
}
