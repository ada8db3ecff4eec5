//! The quick start's story with the registry on etcd, and with an etcd that is killed in the middle.

use super::load::Load;
use std::{future::IntoFuture, sync::Arc, time::Duration};
use tokio::time;
use ziggurat::{
    client::Ziggurat,
    coord::{EtcdSettings, EtcdStore, Registration, Registry},
    core::Instance,
};
use ziggurat_testkit::{Behaviour, EchoServer, Etcd, Proxy, tonic::Code};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

/// A registry as another process has it: with connections of its own.
async fn registry(url: String) -> Registry {
    let settings = EtcdSettings::new([url]).unwrap();
    let settings = settings.try_timeout(1_000 * MS).unwrap();
    let settings = settings.silence(1_000 * MS).unwrap();
    Registry::new(Arc::new(EtcdStore::connect(settings).await.unwrap()))
}

fn instance(server: &EchoServer) -> Instance {
    let address = server.address();
    let host = address.ip().to_string();
    Instance::new("echo", server.name(), &host, address.port()).unwrap()
}

/// Starts a server, and registers it for this long after it has last been heard of.
async fn join(registry: &Registry, name: &str, ttl: Duration) -> (EchoServer, Registration) {
    let server = EchoServer::setup().name(name).start().await;
    server.latency(2 * MS);
    let registered = registry.register(instance(&server)).ttl(ttl).await;
    (server, registered.unwrap())
}

#[tokio::test]
async fn the_story_of_the_quick_start_costs_no_call_on_etcd() {
    let etcd = Etcd::start().await;
    let (there, here) = (registry(etcd.url()).await, registry(etcd.url()).await);
    let mut servers = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        servers.push(join(&there, name, LONG).await);
    }
    let load = Load::start(Ziggurat::new(here).channel("echo")).await;
    load.until(|tally| tally.answered.len() == 5).await;

    servers[0].0.kill().await;
    load.more(100).await;
    servers[1].0.latency(MS);
    servers[1].0.behave(Behaviour::Fail(Code::Unavailable));
    load.more(100).await;
    servers[2].0.latency(20 * MS);
    load.more(100).await;
    servers[3].0.behave(Behaviour::Stall);
    load.more(100).await;
    let _joined = join(&there, "f", LONG).await;
    load.more_of("f", 20).await;

    let tally = load.end().await;
    assert_eq!(tally.failed, [""; 0], "{:?}", tally.answered);
    assert_eq!(tally.fewest, 5, "nobody was forgotten");
}

#[tokio::test]
async fn without_etcd_calls_go_on_and_the_restarted_one_is_picked_up() {
    let ttl = Duration::from_secs(5);
    let mut etcd = Etcd::start().await;
    let (there, here) = (registry(etcd.url()).await, registry(etcd.url()).await);
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(join(&there, name, ttl).await);
    }
    let load = Load::start(Ziggurat::new(here.clone()).channel("echo")).await;
    load.until(|tally| tally.answered.len() == 3).await;

    etcd.kill();
    load.more(100).await;
    // Not before every lease is over: nobody can know that they would have been renewed.
    for (_, registration) in &servers {
        time::timeout(LONG, registration.lost()).await.unwrap();
    }
    let tally = load.more(100).await;
    assert_eq!((tally.failed.len(), tally.fewest), (0, 3), "{tally:?}");

    // One comes while etcd is away, one when it is back.
    let early = EchoServer::setup().name("early").start().await;
    let waits = there.register(instance(&early)).into_future();
    let (_waited, ()) = tokio::join!(time::timeout(LONG, waits), etcd.restart());
    let _late = join(&there, "late", ttl).await;
    load.more_of("early", 20).await;
    load.more_of("late", 20).await;
    for (_, registration) in &servers {
        time::timeout(LONG, registration.registered())
            .await
            .unwrap();
    }
    listed(&here, 5).await;
    let tally = load.end().await;
    assert_eq!(tally.failed, [""; 0], "{:?}", tally.answered);
    assert_ne!(tally.fewest, 0);
}

#[tokio::test]
async fn leases_that_run_out_while_their_servers_live_empty_nothing() {
    let ttl = Duration::from_secs(2);
    let etcd = Etcd::start().await;
    let proxy = Proxy::start(etcd.address()).await;
    let (there, here) = (registry(proxy.url()).await, registry(etcd.url()).await);
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(join(&there, name, ttl).await);
    }
    let load = Load::start(Ziggurat::new(here.clone()).channel("echo")).await;
    load.until(|tally| tally.answered.len() == 3).await;

    // Only the servers lose sight of etcd, so everybody else is told that they are gone.
    proxy.lose(true);
    listed(&here, 0).await;
    load.more(100).await;
    proxy.lose(false);
    listed(&here, 3).await;
    load.more(100).await;
    let tally = load.end().await;
    assert_eq!(tally.failed, [""; 0], "{:?}", tally.answered);
    assert_ne!(tally.fewest, 0);
}

/// Waits until so many are registered.
async fn listed(registry: &Registry, count: usize) {
    let listing = async {
        while registry.list("echo").await.unwrap().len() != count {
            time::sleep(20 * MS).await;
        }
    };
    time::timeout(LONG, listing).await.unwrap();
}
