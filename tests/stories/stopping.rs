//! The way out: a server that is told to stop, under load, loses no call.

use crate::{http, serving::Buggy};
use axum::routing::get;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet, time};
use tonic::{
    Request,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_check_response, health_client::HealthClient},
};
use ziggurat::{
    client::{RequestExt, Ziggurat},
    coord::Registry,
    core::Instance,
    server::{CutOff, Drained, Lifecycle, Phase, ServerLayer, Settings},
};
use ziggurat_testkit::{
    EchoClient, EchoHandler, EchoRequest, bounded, proto::echo_server::EchoServer,
};

const LONG: Duration = Duration::from_secs(60);

/// A tonic server that is registered as `echo`, and drains.
struct Member {
    lifecycle: Lifecycle,
    address: SocketAddr,
    server: JoinSet<Result<(), CutOff>>,
}

// === impl Member ===

impl Member {
    async fn join(registry: &Registry, settings: Settings) -> Self {
        bounded();
        let lifecycle = Lifecycle::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reporter, health) = tonic_health::server::health_reporter();
        let server = Server::builder()
            .layer(ServerLayer::internal().lifecycle(&lifecycle))
            .add_service(health)
            .add_service(EchoServer::new(EchoHandler::new(address.to_string())))
            .serve_with_incoming_shutdown(TcpIncoming::from(listener), lifecycle.closing());
        let server = lifecycle.run(server);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { server.await.map(Result::unwrap) });

        let registration = registry.register(Instance::at("echo", address).unwrap());
        lifecycle.on_leave(registration.await.unwrap().deregister());
        lifecycle.on_leave(async move {
            reporter
                .set_service_status("", ServingStatus::NotServing)
                .await;
            Ok::<_, CutOff>(())
        });
        Self {
            lifecycle,
            address,
            server: tasks,
        }
    }

    async fn connect(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        endpoint.unwrap().connect().await.unwrap()
    }

    /// Ends it, and waits until its last connection is closed.
    async fn stop(mut self) -> Drained {
        let drained = time::timeout(LONG, self.lifecycle.shutdown())
            .await
            .unwrap();
        let served = self.server.join_next().await.unwrap().unwrap();
        assert_eq!(served, Ok(()), "it ended by itself");
        drained
    }
}

#[tokio::test]
async fn servers_that_stop_one_after_the_other_cost_no_call() {
    let registry = Registry::memory();
    let settings = Settings::new().grace(Duration::from_millis(100));
    let mut member = Member::join(&registry, settings).await;
    let channel = Ziggurat::new(registry.clone()).channel("echo");
    let (over, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut load = JoinSet::new();
    for _ in 0..8 {
        let mut client = EchoClient::new(channel.clone());
        let (over, calls) = (Arc::clone(&over), Arc::clone(&calls));
        load.spawn(async move {
            while !over.load(Relaxed) {
                // Not idempotent: nothing that was sent is ever sent again.
                let request = Request::new(EchoRequest::default()).with_timeout(LONG);
                client.unary(request).await.unwrap();
                calls.fetch_add(1, Relaxed);
            }
        });
    }
    for _ in 0..3 {
        let next = Member::join(&registry, settings).await;
        let before = calls.load(Relaxed);
        while calls.load(Relaxed) < before + 50 {
            time::sleep(Duration::from_millis(1)).await;
        }
        let left = std::mem::replace(&mut member, next);
        let drained = left.stop().await;
        assert!(drained.is_clean(), "{drained:?}");
    }
    over.store(true, Relaxed);
    load.join_all().await;
}

#[tokio::test]
async fn while_it_leaves_it_says_so_and_serves_whoever_has_not_heard() {
    let registry = Registry::memory();
    // It leaves for as long as this test wants.
    let member = Member::join(&registry, Settings::new().grace(LONG)).await;
    let channel = member.connect().await;
    let mut health = HealthClient::new(channel.clone());
    let mut check = async || {
        let asked = health.check(HealthCheckRequest::default()).await;
        asked.unwrap().into_inner().status()
    };
    assert_eq!(check().await, health_check_response::ServingStatus::Serving);

    let lifecycle = member.lifecycle.clone();
    let mut stopping = JoinSet::new();
    stopping.spawn(async move { lifecycle.shutdown().await });
    while check().await == health_check_response::ServingStatus::Serving {
        time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(member.lifecycle.phase(), Phase::Leaving);
    while !registry.list("echo").await.unwrap().is_empty() {
        time::sleep(Duration::from_millis(1)).await;
    }
    // On a connection from before, and on a new one.
    for channel in [channel, member.connect().await] {
        EchoClient::new(channel)
            .unary(EchoRequest::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_is_on_its_way_gets_to_its_end() {
    let registry = Registry::memory();
    let member = Member::join(&registry, Settings::new().grace(Duration::ZERO)).await;
    let request = EchoRequest {
        repeat: 2_000,
        payload: vec![0; 1 << 10].into(),
        ..EchoRequest::default()
    };
    let client = EchoClient::new(member.connect().await)
        .server_stream(request)
        .await;
    let mut replies = client.unwrap().into_inner();
    assert!(replies.message().await.unwrap().is_some());
    assert_eq!(member.lifecycle.in_flight(), 1);

    let closing = member.lifecycle.closing();
    let mut stopping = JoinSet::new();
    stopping.spawn(member.stop());
    closing.await;
    let mut count = 1;
    while replies.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 2_000);
    drop(replies);
    let drained = stopping.join_next().await.unwrap().unwrap();
    assert!(drained.is_clean(), "{drained:?}");
}

#[tokio::test]
async fn calls_that_never_end_are_cut_off_when_the_time_is_over() {
    let lifecycle = Lifecycle::new(
        Settings::new()
            .grace(Duration::ZERO)
            .drain(Duration::from_millis(50)),
    );
    let ready = lifecycle.clone();
    let router = Buggy::router()
        .layer(ServerLayer::internal().lifecycle(&lifecycle))
        .route("/readyz", get(async move || ready.readiness()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, router).with_graceful_shutdown(lifecycle.closing());
    let server = lifecycle.run(server);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let hung = http::get(address, "/hang", "").await;
        unreachable!("{hung:?}")
    });
    let stop = async {
        while lifecycle.in_flight() == 0 {
            time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(http::get(address, "/readyz", "").await.status, 200);
        lifecycle.shutdown().await
    };
    let (served, drained) = time::timeout(LONG, async { tokio::join!(server, stop) })
        .await
        .unwrap();
    assert!(served.is_err());
    assert_eq!(drained.cut_off, 1);
}

/// Nobody else would ever end it, and the drain would take all its time.
#[tokio::test]
async fn a_health_watch_is_told_and_ends_when_its_server_closes() {
    let registry = Registry::memory();
    let member = Member::join(&registry, Settings::new().grace(Duration::ZERO).drain(LONG)).await;
    let mut health = HealthClient::new(member.connect().await);
    let watched = HealthCheckRequest::default();
    let mut watch = health.watch(watched).await.unwrap().into_inner();
    let serving = health_check_response::ServingStatus::Serving;
    assert_eq!(watch.message().await.unwrap().unwrap().status(), serving);
    assert_eq!(member.lifecycle.in_flight(), 1);

    let mut stopping = JoinSet::new();
    stopping.spawn(async move { time::timeout(LONG / 2, member.stop()).await });
    let mut told = Vec::new();
    let ended = loop {
        match watch.message().await {
            Ok(Some(answer)) => told.push(answer.status()),
            ended => break ended,
        }
    };
    let not_serving = health_check_response::ServingStatus::NotServing;
    // By the reporter when it left, and by the layer when it closed.
    assert_eq!(told, [not_serving; 2]);
    assert_eq!(ended.unwrap_err().code(), tonic::Code::Unavailable);
    let drained = stopping.join_next().await.unwrap().unwrap();
    assert!(drained.unwrap().is_clean());
}
