//! What many channels of one name cost, and what is left of them.

use crate::house::hello;
use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    time::{self, Instant},
};
use ziggurat::{
    client::Ziggurat,
    coord::{MemoryStore, Registry, conformance::Watched},
    core::Instance,
};
use ziggurat_testkit::{EchoClient, EchoServer, RefusingAddress, bounded, tonic::Code};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_hundred_channels_of_one_name_share_one_watch_and_leave_no_task() {
    bounded();
    let memory = MemoryStore::new();
    let store = Arc::new(Watched::new(Arc::new(memory.clone())));
    let ziggurat = Ziggurat::new(Registry::new(Arc::clone(&store) as _));
    let channels: Vec<_> = (0..100).map(|_| ziggurat.channel("im-logic")).collect();
    let refusing = RefusingAddress::new();
    let (ip, port) = (
        refusing.address().ip().to_string(),
        refusing.address().port(),
    );
    let registrar = Registry::new(Arc::new(memory));
    let instance = Instance::new("im-logic", "a", &ip, port).unwrap();
    let registration = registrar.register(instance).await.unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for channel in &channels {
        let call = hello().into_inner();
        let answer = EchoClient::new(channel.clone()).unary(call).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!((store.open(), store.opened()), (1, 1));
    drop(channels);
    drop(ziggurat);
    let ended = async {
        while tasks() > before || store.open() > 0 {
            time::sleep(Duration::from_millis(1)).await;
        }
    };
    time::timeout(30 * SECOND, ended).await.unwrap();
    assert_eq!((tasks(), store.open()), (before, 0));
    drop(registration);
}

#[tokio::test]
async fn a_service_whose_only_instance_left_is_unavailable_within_three_seconds() {
    bounded();
    let registry = Registry::memory();
    let server = EchoServer::setup().name("a").start().await;
    let (ip, port) = (server.address().ip().to_string(), server.address().port());
    let instance = Instance::new("echo", "a", &ip, port).unwrap();
    let registration = registry.register(instance).await.unwrap();
    let mut client = EchoClient::new(Ziggurat::new(registry).channel("echo"));
    client.unary(hello()).await.unwrap();
    registration.deregister().await.unwrap();
    // The server itself is still there and would answer: it said goodbye, so nobody doubts it.
    let begun = Instant::now();
    let status = loop {
        let call = time::timeout(30 * SECOND, client.unary(hello())).await;
        if let Err(status) = call.expect("a call never hangs") {
            break status;
        }
        assert!(begun.elapsed() <= 3 * SECOND, "it is still called");
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(begun.elapsed() <= 3 * SECOND, "{:?}", begun.elapsed());
}
