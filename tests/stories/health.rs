//! Servers that say of themselves how they do, by `grpc.health.v1`.

use crate::house::{House, hello};
use std::time::Duration;
use tonic::{Code, body::Body, service::Routes};
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, health_reporter},
};
use tower::{
    Service,
    layer::{layer_fn, util::Identity},
    service_fn,
};
use ziggurat::{
    client::{Channel, ChannelSettings, RequestExt, Ziggurat},
    core::{Instance, State},
    health::active,
};
use ziggurat_testkit::{EchoClient, EchoRoutes, EchoServer, Setup};

/// An echo server that tells how it does, and its word on that.
pub(crate) async fn telling(name: &str) -> (EchoServer, HealthReporter) {
    telling_as(EchoServer::setup().name(name)).await
}

/// The same, set up otherwise.
pub(crate) async fn telling_as(setup: Setup<Identity>) -> (EchoServer, HealthReporter) {
    let (reporter, health) = health_reporter();
    let layer = layer_fn(move |echo: EchoRoutes| {
        let health = Routes::new(health.clone()).prepare();
        service_fn(move |request: http::Request<Body>| {
            let (mut echo, mut health) = (echo.clone(), health.clone());
            async move {
                if request.uri().path().starts_with("/grpc.health.v1.Health/") {
                    return health.call(request).await;
                }
                echo.call(request).await
            }
        })
    });
    let server = setup.layer(layer).start().await;
    (server, reporter)
}

fn settings() -> ChannelSettings {
    let active = active::Settings::new().service("echo");
    let active = active.interval(Duration::from_millis(50)).unwrap();
    ChannelSettings::new().active_health(active)
}

fn channel(house: &House) -> Channel {
    let ziggurat = Ziggurat::new(house.registry.clone()).settings(settings());
    ziggurat.channel("echo")
}

/// Waits until the channel knows that `name` is in this state.
pub(crate) async fn until(channel: &Channel, name: &str, state: State) {
    let is_so = || {
        let endpoints = channel.endpoints();
        let mut endpoints = endpoints.iter();
        endpoints.any(|one| one.id().as_str() == name && one.state() == state)
    };
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let end = Duration::from_secs(10);
    tokio::time::timeout(end, waiting).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_serve_is_connected_and_not_called() {
    let mut house = House::of(0).await;
    let (one, one_says) = telling("one").await;
    let (two, two_says) = telling("two").await;
    house.register("one", &one).await;
    house.register("two", &two).await;
    let serving = ServingStatus::Serving;
    one_says.set_service_status("echo", serving).await;
    two_says.set_service_status("echo", serving).await;
    let channel = channel(&house);
    let mut client = EchoClient::new(channel.clone());
    client.unary(hello()).await.unwrap();
    until(&channel, "one", State::Ready).await;
    until(&channel, "two", State::Ready).await;

    let not_serving = ServingStatus::NotServing;
    one_says.set_service_status("echo", not_serving).await;
    until(&channel, "one", State::Down).await;
    for _ in 0..100 {
        let reply = client.unary(hello()).await.unwrap().into_inner();
        assert_eq!(reply.server, "two");
    }
    assert_eq!(one.counts().accepted, 1, "and still connected");

    one_says.set_service_status("echo", serving).await;
    two_says.set_service_status("echo", not_serving).await;
    until(&channel, "two", State::Down).await;
    until(&channel, "one", State::Ready).await;
    for _ in 0..100 {
        let reply = client.unary(hello()).await.unwrap().into_inner();
        assert_eq!(reply.server, "one");
    }
    assert_eq!((one.counts().accepted, two.counts().accepted), (1, 1));
}

#[tokio::test]
async fn when_none_serves_none_is_called() {
    let mut house = House::of(0).await;
    let (one, says) = telling("one").await;
    house.register("one", &one).await;
    let channel = channel(&house);
    let mut client = EchoClient::new(channel.clone());
    // Nobody has said anything about the service: SERVICE_UNKNOWN.
    let short = || hello().with_timeout(Duration::from_millis(300));
    let status = client.unary(short()).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded),
        "{status:?}"
    );
    assert_eq!(one.counts().started, 0);
    says.set_service_status("echo", ServingStatus::Serving)
        .await;
    client.unary(hello().wait_for_ready()).await.unwrap();
}

#[tokio::test]
async fn servers_that_cannot_tell_are_called_as_ever() {
    let house = House::of(2).await;
    let mut client = EchoClient::new(channel(&house));
    for _ in 0..50 {
        client.unary(hello()).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_leaves_is_let_go_although_it_was_being_asked() {
    let house = House::of(1).await;
    let (leaving, says) = telling("leaving").await;
    says.set_service_status("echo", ServingStatus::Serving)
        .await;
    let address = leaving.address();
    let instance = Instance::new("echo", "leaving", "127.0.0.1", address.port());
    let registration = house.registry.register(instance.unwrap()).await.unwrap();
    let channel = channel(&house);
    channel.connect().await.unwrap();
    until(&channel, "leaving", State::Ready).await;
    registration.deregister().await.unwrap();
    // Its connection closes, which it would not with a stream open.
    let gone = leaving.until(|counts| counts.connections == 0);
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap();
}
