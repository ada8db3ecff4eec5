//! Beside gRPC of another implementation, the C core: nothing differs from a bare channel and a bare
//! server, except what we promise.

mod handler;
mod script;

use self::handler::Handler;
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::transport::{Channel, Endpoint, Server, server::TcpIncoming};
use tower::ServiceBuilder;
use ziggurat::{
    answer::AnswerLayer,
    client::Ziggurat,
    coord::{Registration, Registry},
    core::Instance,
    deadline::DeadlineLayer,
    limit::{Rate, RateLimitLayer},
    trace::TraceLayer,
};
use ziggurat_testkit::{
    EchoClient, GrpcioServer, bounded, grpcio_client, proto::echo_server::EchoServer,
};

async fn bare(address: SocketAddr) -> EchoClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    EchoClient::new(endpoint.connect().await.unwrap())
}

async fn registered(address: SocketAddr) -> (Registry, Registration) {
    let registry = Registry::memory();
    let instance = Instance::new("echo", "grpcio", &address.ip().to_string(), address.port());
    let registration = registry.register(instance.unwrap()).await.unwrap();
    (registry, registration)
}

#[tokio::test]
async fn a_server_of_the_c_core_answers_our_channel_as_it_answers_a_bare_one() {
    bounded();
    let server = GrpcioServer::start().await;
    let (registry, _registration) = registered(server.address()).await;
    let ours = Ziggurat::new(registry);
    let with_bare = script::run(bare(server.address()).await).await;
    let with_ours = script::run(EchoClient::new(ours.channel("echo"))).await;
    for (ours, bare) in with_ours.iter().zip(&with_bare) {
        assert_eq!(ours, bare);
    }
    assert_eq!(with_ours.len(), with_bare.len());
}

#[tokio::test]
async fn a_server_of_the_c_core_sees_our_deadlines_cancellations_and_attempts() {
    bounded();
    let server = GrpcioServer::start().await;
    let (registry, _registration) = registered(server.address()).await;
    let ours = Ziggurat::new(registry);
    script::promises(EchoClient::new(ours.channel("echo"))).await;
}

#[tokio::test]
async fn a_client_of_the_c_core_is_served_through_our_layers_as_by_a_bare_server() {
    bounded();
    let mut transcripts = Vec::new();
    for layered in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = TcpIncoming::from(listener);
        let echo = EchoServer::new(Handler::default()).max_decoding_message_size(usize::MAX);
        let mut tasks = JoinSet::new();
        if layered {
            let rate = Rate::new(100_000, Duration::from_secs(1)).unwrap();
            let layers = ServiceBuilder::new()
                .layer(TraceLayer::server())
                .layer(AnswerLayer::new())
                .layer(DeadlineLayer::server())
                .layer(RateLimitLayer::new(rate));
            let server = Server::builder().layer(layers).add_service(echo);
            tasks.spawn(server.serve_with_incoming(incoming));
        } else {
            let server = Server::builder().add_service(echo);
            tasks.spawn(server.serve_with_incoming(incoming));
        }
        transcripts.push(grpcio_client(address).await);
    }
    let (bare, layered) = (&transcripts[0], &transcripts[1]);
    for promised in [
        "remaining True",
        "deadline 'DEADLINE_EXCEEDED'",
        "cancelled 2",
    ] {
        assert!(layered.iter().any(|line| line == promised), "{layered:#?}");
    }
    // Except what we promise: a bare tonic may answer CANCELLED to who waited too long.
    let same = |line: &&String| !line.starts_with("deadline ");
    let (layered, bare) = (layered.iter().filter(same), bare.iter().filter(same));
    assert!(layered.clone().eq(bare.clone()), "{layered:#?} {bare:#?}");
}
