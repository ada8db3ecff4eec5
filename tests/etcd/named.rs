//! A service on etcd that is called by its name.

use super::follower::{LONG, store};
use std::time::Duration;
use tokio::time::{self, Instant};
use ziggurat::{
    client::Ziggurat,
    coord::{Registration, Registry},
};
use ziggurat_core::Instance;
use ziggurat_testkit::{
    EchoClient, EchoRequest, EchoServer, Etcd,
    tonic::{Code, Request},
};

async fn join(registry: &Registry, name: &str) -> (EchoServer, Registration) {
    let server = EchoServer::setup().name(name).start().await;
    let (ip, port) = (server.address().ip().to_string(), server.address().port());
    let instance = Instance::new("echo", name, &ip, port).unwrap();
    let registration = registry.register(instance).await.unwrap();
    (server, registration)
}

#[tokio::test]
async fn a_fourth_server_is_called_within_two_seconds_and_those_who_leave_cost_no_call() {
    let etcd = Etcd::start().await;
    let servers = Registry::new(store(etcd.url()).await as _);
    let mut there = Vec::new();
    for name in ["a", "b", "c"] {
        there.push(join(&servers, name).await);
    }
    let clients = Registry::new(store(etcd.url()).await as _);
    let mut client = EchoClient::new(Ziggurat::new(clients).channel("echo"));
    let mut call = async || {
        let request = Request::new(EchoRequest::default());
        let answer = time::timeout(LONG, client.unary(request)).await.unwrap();
        answer.map(|answer| answer.into_inner().server)
    };
    for _ in 0..30 {
        call().await.unwrap();
    }
    let begun = Instant::now();
    there.push(join(&servers, "d").await);
    while call().await.unwrap() != "d" {
        time::sleep(Duration::from_millis(1)).await;
    }
    println!("called after {:?}", begun.elapsed());
    assert!(
        begun.elapsed() <= Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );

    // All leave, in order, the last one too: they are let go of at once, though they would answer.
    let (mut servers, mut registrations): (Vec<_>, Vec<_>) = there.into_iter().unzip();
    let last = servers.split_off(3);
    for registration in registrations.drain(..3) {
        registration.deregister().await.unwrap();
    }
    for server in &servers {
        server.until(|counts| counts.connections == 0).await;
    }
    for _ in 0..30 {
        assert_eq!(call().await.unwrap(), "d");
    }
    registrations.remove(0).deregister().await.unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Err(status) = call().await {
            break status;
        }
        assert!(begun.elapsed() <= Duration::from_secs(5), "it is held");
    };
    println!("let go of after {:?}", begun.elapsed());
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    drop(last);
}
