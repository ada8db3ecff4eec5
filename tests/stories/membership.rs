//! Instances that change while they are called.

use crate::house::{House, hello};
use std::time::Duration;
use ziggurat::{client::Ziggurat, coord::Registry, core::Instance};
use ziggurat_testkit::{EchoClient, EchoServer, RefusingAddress, bounded};

fn instance(server: &EchoServer) -> Instance {
    let address = server.address();
    Instance::new("echo", "one", &address.ip().to_string(), address.port()).unwrap()
}

#[tokio::test]
async fn metadata_that_changes_costs_no_connection() {
    bounded();
    let server = EchoServer::start().await;
    let registry = Registry::memory();
    let registration = registry.register(instance(&server)).await.unwrap();
    let mut client = EchoClient::new(Ziggurat::new(registry).channel("echo"));
    for beat in 0..20 {
        client.unary(hello()).await.unwrap();
        let changed = instance(&server).with_metadata("beat", beat.to_string());
        registration.update(changed).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(server.counts().accepted, 1);
}

#[tokio::test]
async fn an_instance_that_moves_to_where_nobody_listens_is_still_called_where_it_was() {
    bounded();
    let server = EchoServer::start().await;
    let registry = Registry::memory();
    let registration = registry.register(instance(&server)).await.unwrap();
    let mut client = EchoClient::new(Ziggurat::new(registry).channel("echo"));
    client.unary(hello()).await.unwrap();

    let nobody = RefusingAddress::new().address();
    let moved = Instance::new("echo", "one", &nobody.ip().to_string(), nobody.port());
    registration.update(moved.unwrap()).await.unwrap();
    let end = tokio::time::Instant::now() + Duration::from_millis(300);
    while tokio::time::Instant::now() < end {
        client.unary(hello()).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_leaves_in_order_costs_no_call() {
    let mut house = House::of(2).await;
    let leaving = EchoServer::start().await;
    let registration = house.registry.register(instance(&leaving)).await.unwrap();
    house.join().await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    while leaving.counts().finished == 0 {
        client.unary(hello()).await.unwrap();
    }
    registration.deregister().await.unwrap();
    let shutdown = leaving.shutdown_gracefully();
    let calls = async {
        for _ in 0..500 {
            client.unary(hello()).await.unwrap();
        }
    };
    tokio::join!(shutdown, calls);
}

#[tokio::test]
async fn an_instance_that_moves_is_followed_without_a_failed_call() {
    bounded();
    let (old, new) = (EchoServer::start().await, EchoServer::start().await);
    let registry = Registry::memory();
    let registration = registry.register(instance(&old)).await.unwrap();
    let mut client = EchoClient::new(Ziggurat::new(registry).channel("echo"));
    client.unary(hello()).await.unwrap();
    registration.update(instance(&new)).await.unwrap();
    while new.counts().finished == 0 {
        client.unary(hello()).await.unwrap();
    }
    assert_eq!((old.counts().accepted, new.counts().accepted), (1, 1));
}
